package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"agentcontainers/resident/internal/fault"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func status(err error) int {
	var known *fault.Fault
	if errors.As(err, &known) {
		return known.Status
	}
	if err != nil {
		return 500
	}
	return 200
}

func content(t *testing.T, path string) string {
	t.Helper()
	got, err := os.ReadFile(path)
	must(t, err)
	return string(got)
}

func names(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	must(t, err)
	var out []string
	for _, entry := range entries {
		out = append(out, entry.Name())
	}
	return strings.Join(out, " ")
}

func TestPathsAreAbsoluteOrOfTheWorkspace(t *testing.T) {
	for path, expected := range map[string]string{"a": "/w/a", "/a/../b": "/b", "../x": "/x", "../../../x": "/x", ".": "/w", "/": "/"} {
		if got, err := Resolve("/w", path); err != nil || got != expected {
			t.Errorf("%q: %q, %v", path, got, err)
		}
	}
	for _, path := range []string{"", "a\x00b", strings.Repeat("x", 5000)} {
		if _, err := Resolve("/w", path); status(err) != 400 {
			t.Errorf("%.10q: %v", path, err)
		}
	}
}

func TestAFileIsDescribed(t *testing.T) {
	folder := t.TempDir()
	must(t, os.WriteFile(folder+"/file", []byte("12345"), 0o640))
	must(t, os.Symlink("file", folder+"/link"))
	must(t, syscall.Mkfifo(folder+"/fifo", 0o600))
	must(t, os.Chmod(folder, 0o2750|os.ModeSetgid))
	for path, expected := range map[string]string{
		folder + "/file": "file 5 0640", folder + "/link": "link 4 0777", folder + "/fifo": "other 0 0600",
	} {
		got, err := Stat(path)
		if text := fmt.Sprint(got.Type, " ", got.Size, " ", got.Mode); err != nil || text != expected || got.Path != path || int(got.UID) != os.Getuid() {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
		if (got.Target != nil) != (got.Type == TypeLink) || got.Target != nil && *got.Target != "file" {
			t.Errorf("%+v", got)
		}
	}
	if got, err := Stat(folder); err != nil || got.Type != TypeDirectory || got.Mode != "2750" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Stat(folder + "/none"); status(err) != 404 {
		t.Error(err)
	}
	if _, err := Stat(folder + "/file/below"); status(err) != 404 {
		t.Error(err)
	}
}

func TestModesAreOctal(t *testing.T) {
	for text, ok := range map[string]bool{"644": true, "0644": true, "4755": true, "1777": true, "": false, "9": false, "0888": false, "12": false, "77777": false, "-644": false, "+644": false} {
		mode, err := ParseMode(text)
		if (err == nil) != ok || ok && !strings.HasSuffix(FormatMode(mode), text) {
			t.Errorf("%q: %v, %v", text, mode, err)
		}
	}
}

func TestAListIsBounded(t *testing.T) {
	folder := t.TempDir()
	for i := range 600 {
		must(t, os.WriteFile(fmt.Sprintf("%s/%03d", folder, i), nil, 0o600))
	}
	entries, truncated, err := List(folder, MaxEntries)
	if err != nil || truncated || len(entries) != 600 || entries[0].Path != folder+"/000" || entries[599].Path != folder+"/599" {
		t.Errorf("%d, %v, %v", len(entries), truncated, err)
	}
	if entries, truncated, err = List(folder, 600); len(entries) != 600 || truncated || err != nil {
		t.Errorf("%d, %v, %v", len(entries), truncated, err)
	}
	if entries, truncated, err = List(folder, 599); len(entries) != 599 || !truncated || err != nil {
		t.Errorf("%d, %v, %v", len(entries), truncated, err)
	}
	if _, _, err := List(folder+"/000", 1); status(err) != 404 {
		t.Error(err)
	}
}

func TestOnlyRegularFilesAreRead(t *testing.T) {
	folder := t.TempDir()
	must(t, syscall.Mkfifo(folder+"/fifo", 0o600))
	must(t, os.WriteFile(folder+"/file", []byte("x"), 0o600))
	for path, expected := range map[string]int{folder + "/fifo": 400, folder: 400, "/dev/null": 400, folder + "/none": 404, folder + "/file": 200} {
		file, _, err := Open(path)
		if status(err) != expected {
			t.Errorf("%s: %v", path, err)
		}
		if err == nil {
			file.Close()
		}
	}
}

func TestAFileIsWrittenInOneStep(t *testing.T) {
	folder := t.TempDir()
	path := folder + "/file"
	info, err := Write(path, strings.NewReader("new"), Writing{Mode: 0o640})
	if err != nil || info.Mode != "0640" || info.Size != 3 || content(t, path) != "new" {
		t.Errorf("%+v, %v", info, err)
	}
	must(t, os.Chmod(path, 0o751))
	if os.Getuid() == 0 {
		must(t, os.Chown(path, 12345, 12346))
	}
	info, err = Write(path, strings.NewReader("newer"), Writing{Mode: 0o600})
	if err != nil || info.Mode != "0751" || content(t, path) != "newer" || os.Getuid() == 0 && (info.UID != 12345 || info.GID != 12346) {
		t.Errorf("what was there: %+v, %v", info, err)
	}
	broken := io.MultiReader(strings.NewReader("half"), &failing{})
	if _, err = Write(path, broken, Writing{Mode: 0o600}); err == nil || content(t, path) != "newer" {
		t.Errorf("after content that broke off: %q, %v", content(t, path), err)
	}
	if _, err = Write(path, strings.NewReader("x"), Writing{Mode: 0o600, CreateOnly: true}); status(err) != 409 || content(t, path) != "newer" {
		t.Errorf("create only: %v", err)
	}
	if _, err = Write(folder+"/a/b/c", strings.NewReader("deep"), Writing{Mode: 0o600}); status(err) != 404 {
		t.Errorf("without parents: %v", err)
	}
	if _, err = Write(folder+"/a/b/c", strings.NewReader("deep"), Writing{Mode: 0o600, Parents: true}); err != nil || content(t, folder+"/a/b/c") != "deep" {
		t.Errorf("with parents: %v", err)
	}
	if _, err = Write(folder+"/created", strings.NewReader("x"), Writing{Mode: 0o600, CreateOnly: true}); err != nil {
		t.Error(err)
	}
	if _, err = Write(folder+"/a", strings.NewReader("x"), Writing{Mode: 0o600}); status(err) != 400 {
		t.Errorf("a directory: %v", err)
	}
	must(t, syscall.Mkfifo(folder+"/fifo", 0o600))
	if _, err = Write(folder+"/fifo", strings.NewReader("x"), Writing{Mode: 0o600}); status(err) != 400 {
		t.Errorf("a fifo: %v", err)
	}
	if got := names(t, folder); got != "a created fifo file" {
		t.Errorf("left behind: %s", got)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the line broke") }

func TestALinkIsWrittenThrough(t *testing.T) {
	folder := t.TempDir()
	must(t, os.MkdirAll(folder+"/real/deep", 0o755))
	must(t, os.WriteFile(folder+"/real/file", []byte("old"), 0o600))
	must(t, os.Symlink(folder+"/real/deep", folder+"/short"))
	must(t, os.Symlink("../file", folder+"/real/deep/up"))
	must(t, os.Symlink(folder+"/short/up", folder+"/link"))
	if info, err := Write(folder+"/link", strings.NewReader("through"), Writing{Mode: 0o600}); err != nil || info.Path != filepath.Clean(folder+"/real/file") {
		t.Errorf("%+v, %v", info, err)
	}
	if content(t, folder+"/real/file") != "through" || content(t, folder+"/link") != "through" {
		t.Error("it was written elsewhere")
	}
	must(t, os.Symlink("nothing", folder+"/dangling"))
	if _, err := Write(folder+"/dangling", strings.NewReader("made"), Writing{Mode: 0o600}); err != nil || content(t, folder+"/nothing") != "made" {
		t.Errorf("%v", err)
	}
	must(t, os.Symlink("round", folder+"/round"))
	if _, err := Write(folder+"/round", strings.NewReader("x"), Writing{Mode: 0o600}); status(err) != 400 {
		t.Errorf("%v", err)
	}
	must(t, os.Symlink("no-target", folder+"/only"))
	if _, err := Write(folder+"/only", strings.NewReader("x"), Writing{Mode: 0o600, CreateOnly: true}); status(err) != 409 {
		t.Errorf("%v", err)
	}
	if got := names(t, folder); got != "dangling link nothing only real round short" {
		t.Error(got)
	}
}

func TestAFileThatSomethingIsMountedAtIsWrittenInPlace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	folder := t.TempDir()
	must(t, os.WriteFile(folder+"/source", []byte("long before"), 0o644))
	must(t, os.WriteFile(folder+"/file", nil, 0o644))
	if err := syscall.Mount(folder+"/source", folder+"/file", "", syscall.MS_BIND, ""); err != nil {
		t.Skip(err)
	}
	defer syscall.Unmount(folder+"/file", syscall.MNT_DETACH)
	if _, err := Write(folder+"/file", strings.NewReader("after"), Writing{Mode: 0o600}); err != nil || content(t, folder+"/source") != "after" {
		t.Errorf("%q, %v", content(t, folder+"/source"), err)
	}
	if got := names(t, folder); got != "file source" {
		t.Error(got)
	}
}
