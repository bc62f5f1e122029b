package files

import (
	"bytes"
	"os"
	"syscall"
	"testing"
)

func TestDirectoriesAreMade(t *testing.T) {
	folder := t.TempDir()
	mode, _ := ParseMode("0701")
	if info, err := MakeDirectory(folder+"/one", &mode, false); err != nil || info.Mode != "0701" || info.Type != TypeDirectory {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := MakeDirectory(folder+"/one", nil, false); status(err) != 409 {
		t.Error(err)
	}
	if info, err := MakeDirectory(folder+"/one", nil, true); err != nil || info.Mode != "0701" {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := MakeDirectory(folder+"/a/b", nil, false); status(err) != 404 {
		t.Error(err)
	}
	if info, err := MakeDirectory(folder+"/a/b", nil, true); err != nil || info.Mode != "0755" {
		t.Errorf("%+v, %v", info, err)
	}
	must(t, os.WriteFile(folder+"/file", nil, 0o600))
	if _, err := MakeDirectory(folder+"/file", nil, true); status(err) != 409 {
		t.Error(err)
	}
}

func TestThingsAreMoved(t *testing.T) {
	folder := t.TempDir()
	must(t, os.WriteFile(folder+"/a", []byte("a"), 0o600))
	must(t, os.WriteFile(folder+"/b", []byte("b"), 0o600))
	must(t, os.Symlink("a", folder+"/link"))
	if _, err := Move(folder+"/a", folder+"/b", false); status(err) != 409 || content(t, folder+"/b") != "b" {
		t.Error(err)
	}
	if info, err := Move(folder+"/a", folder+"/b", true); err != nil || content(t, folder+"/b") != "a" || info.Path != folder+"/b" {
		t.Error(err)
	}
	if info, err := Move(folder+"/link", folder+"/other", false); err != nil || info.Type != TypeLink {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := Move(folder+"/none", folder+"/x", false); status(err) != 404 {
		t.Error(err)
	}
	if _, err := Move("/", folder+"/x", false); status(err) != 400 {
		t.Error(err)
	}
	if got := names(t, folder); got != "b other" {
		t.Error(got)
	}
}

func TestFilesAndLinksAreMovedBetweenFileSystems(t *testing.T) {
	here := t.TempDir()
	there, err := os.MkdirTemp("/dev/shm", "move-test")
	if err != nil {
		t.Skip(err)
	}
	defer os.RemoveAll(there)
	var one, other syscall.Stat_t
	if syscall.Stat(here, &one) != nil || syscall.Stat(there, &other) != nil || one.Dev == other.Dev {
		t.Skip("there is one file system only")
	}
	must(t, os.WriteFile(here+"/file", []byte("moved"), 0o640))
	must(t, os.Symlink("target", here+"/link"))
	must(t, os.Mkdir(here+"/folder", 0o755))
	must(t, os.WriteFile(there+"/taken", []byte("stays"), 0o600))
	if _, err := Move(here+"/file", there+"/taken", false); status(err) != 409 || content(t, there+"/taken") != "stays" {
		t.Error(err)
	}
	if info, err := Move(here+"/file", there+"/taken", true); err != nil || info.Mode != "0640" || content(t, there+"/taken") != "moved" {
		t.Errorf("%+v, %v", info, err)
	}
	if info, err := Move(here+"/link", there+"/taken", true); err != nil || *info.Target != "target" {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := Move(here+"/folder", there+"/folder", true); status(err) != 400 {
		t.Error(err)
	}
	if names(t, here) != "folder" || names(t, there) != "taken" {
		t.Errorf("%s, %s", names(t, here), names(t, there))
	}
}

func TestThingsAreRemovedAndNeverTheTargetOfALink(t *testing.T) {
	folder := t.TempDir()
	must(t, os.MkdirAll(folder+"/keep/deep", 0o755))
	must(t, os.WriteFile(folder+"/keep/file", nil, 0o600))
	must(t, os.MkdirAll(folder+"/gone/deep", 0o755))
	must(t, os.Symlink(folder+"/keep", folder+"/gone/link"))
	must(t, os.Symlink(folder+"/keep", folder+"/link"))
	if err := Remove(folder+"/gone", false); status(err) != 409 {
		t.Error(err)
	}
	for _, path := range []string{"/gone", "/link"} {
		if err := Remove(folder+path, true); err != nil {
			t.Error(err)
		}
	}
	if err := Remove(folder+"/none", true); status(err) != 404 {
		t.Error(err)
	}
	if err := Remove("/", true); status(err) != 400 {
		t.Error(err)
	}
	if names(t, folder) != "keep" || names(t, folder+"/keep") != "deep file" {
		t.Errorf("%s, %s", names(t, folder), names(t, folder+"/keep"))
	}
}

func TestWhatTheUserMayNotIsRefused(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may everything")
	}
	if _, err := Write("/etc/agentcontainers-test", bytes.NewReader(nil), Writing{Mode: 0o600}); status(err) != 403 {
		t.Error(err)
	}
}
