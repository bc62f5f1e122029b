package rundir

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const digestA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
const digestB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

func TestTheCandidatesAreInOrderAndFitASocket(t *testing.T) {
	got := Candidates(12, "/run/user/12")
	expected := []string{"/run/agentcontainers-12", "/run/user/12/agentcontainers", "/tmp/.agentcontainers-12", "/dev/shm/.agentcontainers-12", "/var/tmp/.agentcontainers-12"}
	if !slices.Equal(got, expected) {
		t.Errorf("%v", got)
	}
	for _, xdg := range []string{"", "relative", "/" + strings.Repeat("long", 40)} {
		if got := Candidates(12, xdg); len(got) != 4 {
			t.Errorf("%q: %v", xdg, got)
		}
	}
}

func TestADirectoryThatOthersCouldUseIsNotTrusted(t *testing.T) {
	base := t.TempDir()
	good, open, linked, file := base+"/good", base+"/open", base+"/linked", base+"/file"
	must(t, os.Mkdir(good, 0o700))
	must(t, os.Mkdir(open, 0o700))
	must(t, os.Chmod(open, 0o755))
	must(t, os.Symlink(good, linked))
	must(t, os.WriteFile(file, nil, 0o700))
	for _, directory := range []string{open, linked, file, base + "/missing"} {
		if Check(directory) == nil {
			t.Errorf("%s is trusted", directory)
		}
	}
	if os.Geteuid() == 0 {
		foreign := base + "/foreign"
		must(t, os.Mkdir(foreign, 0o700))
		must(t, os.Chown(foreign, 12345, 12345))
		if Check(foreign) == nil {
			t.Error("the directory of another user is trusted")
		}
	}
	if got := Existing([]string{open, linked, good, file}); !slices.Equal(got, []string{good}) {
		t.Errorf("%v", got)
	}
}

func TestTheFirstUsableDirectoryIsMade(t *testing.T) {
	base := t.TempDir()
	must(t, os.Symlink(base, base+"/linked"))
	made := base + "/made"
	old := syscall.Umask(0o777)
	got, err := Prepare([]string{base + "/missing/parent", base + "/linked", made, base + "/later"})
	syscall.Umask(old)
	if err != nil || got != made {
		t.Fatalf("%q, %v", got, err)
	}
	if left, _ := filepath.Glob(made + "/.*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if again, err := Prepare([]string{made}); err != nil || again != made {
		t.Errorf("a second time: %q, %v", again, err)
	}
	if _, err := Prepare([]string{base + "/missing/parent", base + "/linked"}); err == nil || !strings.Contains(err.Error(), "linked") {
		t.Errorf("where nothing can be used: %v", err)
	}
}

func TestThereIsOneLock(t *testing.T) {
	directory := t.TempDir()
	first, err := Lock(directory, digestA)
	must(t, err)
	if _, err := Lock(directory, digestA); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	other, err := Lock(directory, digestB)
	must(t, err)
	other.Close()
	first.Close()
	again, err := Lock(directory, digestA)
	must(t, err)
	again.Close()
}

func TestAFileThatLostItsNameIsNoLock(t *testing.T) {
	directory := t.TempDir()
	file, err := Lock(directory, digestA)
	must(t, err)
	defer file.Close()
	must(t, os.Remove(LockPath(directory, digestA)))
	if isAt(file, LockPath(directory, digestA)) {
		t.Error("it counts as held")
	}
}

func TestOthersAreThoseThatListen(t *testing.T) {
	directory := t.TempDir()
	live := State{PID: 7, Protocol: 1, Version: "1.2.3", Digest: digestB, Instance: "0011223344556677"}
	must(t, WriteState(directory, live))
	must(t, WriteState(directory, State{PID: 8, Digest: digestA}))
	stale := strings.Repeat("c", 64)
	must(t, WriteState(directory, State{PID: 9, Digest: stale}))
	must(t, os.WriteFile(directory+"/dddddddddddd.json", []byte("{broken"), 0o600))
	must(t, os.WriteFile(directory+"/eeeeeeeeeeee.json", []byte(`{"digest":"`+digestB+`"}`), 0o600))
	must(t, syscall.Mkfifo(directory+"/ffffffffffff.json", 0o600))
	for _, digest := range []string{digestA, digestB} {
		listener, err := net.Listen("unix", SocketPath(directory, digest))
		must(t, err)
		defer listener.Close()
	}
	// A socket file whose listener is gone.
	gone, err := net.ListenUnix("unix", &net.UnixAddr{Name: SocketPath(directory, stale)})
	must(t, err)
	gone.SetUnlinkOnClose(false)
	gone.Close()
	others := Others([]string{directory}, digestA)
	if len(others) != 1 || others[0].PID != 7 || others[0].Digest != digestB || others[0].Version != "1.2.3" {
		t.Errorf("%+v", others)
	}
}

func TestTheDigestIsThatOfTheRunningFile(t *testing.T) {
	digest, err := OwnDigest()
	if err != nil || len(digest) != 64 || len(Short(digest)) != 12 {
		t.Errorf("%q, %v", digest, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
