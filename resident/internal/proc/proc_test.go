package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"agentcontainers/resident/internal/scarce"
)

func TestAStatFileIsReadWhateverTheNameIs(t *testing.T) {
	tail := " S 4 5 6 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 200 18446744073709551615 0 0"
	for _, name := range []string{"sh", "a b", ") S 1 1 1", "((", "", "new\nline", "1 (x) R 9"} {
		s, err := ParseStat([]byte("123 (" + name + ")" + tail))
		if err != nil || s.PID != 123 || s.Name != name || s.State != 'S' || s.Parent != 4 || s.Group != 5 || s.Session != 6 || s.Start != 98765 {
			t.Errorf("%q: %+v, %v", name, s, err)
		}
	}
	for _, broken := range []string{"", "123", "123 (sh)", "123 (sh) S 1 2", "x (sh)" + tail, "-1 (sh)" + tail, ") 123 (" + tail, "1 (sh) SS 4 5 6" + tail} {
		if s, err := ParseStat([]byte(broken)); err == nil {
			t.Errorf("%q gave %+v", broken, s)
		}
	}
}

func TestThisProcessIsInTheList(t *testing.T) {
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.PID == os.Getpid() {
			if s.Parent != os.Getppid() || s.Start == 0 || s.Ended() {
				t.Errorf("%+v", s)
			}
			return
		}
	}
	t.Error("it is not there")
}

func TestAProcessThatCannotBeReadForWantOfFilesIsNotGone(t *testing.T) {
	for more := range uint64(2) {
		t.Run(fmt.Sprint(more), func(t *testing.T) {
			scarce.Files(t, more)
			if list, err := List(); !errors.Is(err, syscall.EMFILE) {
				t.Errorf("%d are there, %v", len(list), err)
			}
		})
	}
}

func TestWhatAProcessCannotHaveIsNoVariable(t *testing.T) {
	for _, row := range []struct {
		name, value string
		is          bool
	}{{"A", "", true}, {"a b", "=1\n", true}, {"", "x", false}, {"A=B", "x", false}, {"A\x00", "x", false}, {"A", "x\x00", false}} {
		if is := IsVariable(row.name, row.value); is != row.is {
			t.Errorf("%q=%q: %v", row.name, row.value, is)
		}
	}
}

func TestAVariableIsFoundHoweverTheBytesCome(t *testing.T) {
	environment := strings.Join([]string{"A=1", "MARKERX=no", "XMARKER=no", "LONG=" + strings.Repeat("MARKER=no", 2000), "MARKER=ab-1", "Z=2", ""}, "\x00")
	for _, cut := range []string{environment, environment[:strings.Index(environment, "\x00Z=")]} {
		if value, found, err := FindVariable(strings.NewReader(cut), "MARKER"); value != "ab-1" || !found || err != nil {
			t.Errorf("%q, %v, %v", value, found, err)
		}
		if value, found, _ := FindVariable(iotest.OneByteReader(strings.NewReader(cut)), "MARKER"); value != "ab-1" || !found {
			t.Errorf("in single bytes: %q, %v", value, found)
		}
	}
	for _, without := range []string{"", "MARKER", "MARKE=1\x00", "A=MARKER=1\x00", "MARKER=" + strings.Repeat("x", 2*maxValue) + "\x00"} {
		if value, found, _ := FindVariable(strings.NewReader(without), "MARKER"); found {
			t.Errorf("%.20q has %.20q", without, value)
		}
	}
}

func TestAVariableOfAnotherUsersProcessIsReadByRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	child := exec.Command("sleep", "100")
	child.Env = []string{"MARKER=theirs"}
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12346}}
	if err := child.Start(); err != nil {
		t.Skip(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	// Until the child's last steps are done its environment is ours, or closed to us.
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		line, err := os.ReadFile("/proc/" + strconv.Itoa(child.Process.Pid) + "/cmdline")
		if err == nil && string(line) == "sleep\x00100\x00" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not become sleep: %q, %v", line, err)
		}
	}
	if value, found := Variable(child.Process.Pid, "MARKER"); value != "theirs" || !found {
		t.Errorf("%q, %v", value, found)
	}
	value, found := "", false
	AsUser(12345, 12346, func() {
		_ = readVariable("/proc/self/environ", "PATH", &value, &found)
		_ = readVariable("/proc/"+strconv.Itoa(child.Process.Pid)+"/environ", "MARKER", &value, &found)
	})
	if value != "theirs" || !found {
		t.Errorf("as the owner: %q, %v", value, found)
	}
}

func TestAnotherIdentityDoesNotStay(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	directory := t.TempDir()
	inside := 0
	AsUser(12345, 12345, func() { inside = fileSystemID(syscall.SYS_SETFSUID) })
	if inside != 12345 {
		t.Skip("this machine does not allow it")
	}
	for range 50 {
		AsUser(12345, 12345, func() {})
		name := directory + "/file"
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var stat syscall.Stat_t
		if err := syscall.Stat(name, &stat); err != nil || stat.Uid != 0 || stat.Gid != 0 {
			t.Fatalf("a file belongs to %d:%d, %v", stat.Uid, stat.Gid, err)
		}
		os.Remove(name)
	}
}

func TestALimitIsFoundInItsLine(t *testing.T) {
	const limits = "Limit                     Soft Limit           Hard Limit           Units     \n" +
		"Max file size             unlimited            unlimited            bytes     \n" +
		"Max file locks            4611686018427387905  unlimited            locks     \n" +
		"Max nice priority         0                    0                    \n"
	for name, expected := range map[string]string{
		"Max file locks": "4611686018427387905 true", "Max nice priority": "0 true", "Max file size": "0 false", "Max file": "0 false", "Max": "0 false", "Other": "0 false", "": "0 false",
	} {
		value, found := FindSoftLimit([]byte(limits), name)
		if got := fmt.Sprint(value, " ", found); got != expected {
			t.Errorf("%q: %s", name, got)
		}
	}
	if value, found := SoftLimit(os.Getpid(), "Max open files"); !found || value == 0 {
		t.Errorf("our own: %d, %v", value, found)
	}
	if _, found := SoftLimit(1<<30, "Max open files"); found {
		t.Error("one that is not there has a limit")
	}
}

func FuzzLimits(f *testing.F) {
	f.Add([]byte("Max file locks            4611686018427387905  unlimited            locks     \n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if value, found := FindSoftLimit(content, "Max file locks"); found && !bytes.Contains(content, []byte(strconv.FormatUint(value, 10))) {
			t.Errorf("%d", value)
		}
	})
}

func FuzzStat(f *testing.F) {
	f.Add([]byte("1 (init) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 8 1 2 3"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if s, err := ParseStat(content); err == nil && s.PID < 1 {
			t.Errorf("%+v", s)
		}
	})
}

func FuzzEnvironment(f *testing.F) {
	f.Add([]byte("A=1\x00MARKER=x\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		value, found, err := FindVariable(bytes.NewReader(content), "MARKER")
		if err != nil || found && !bytes.Contains(content, []byte("MARKER="+value)) {
			t.Errorf("%q, %v, %v", value, found, err)
		}
	})
}
