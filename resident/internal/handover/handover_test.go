package handover

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"agentcontainers/resident/internal/pipes"
)

const patience = 30 * time.Second

// ways are the two ends of a socket, and of the pipes that `connect` has from the engine.
type ways struct {
	connect, agent *net.UnixConn
	// in and out are those of `connect`, engineIn and engineOut those of the engine.
	in, engineIn, engineOut, out *os.File
}

func made(t *testing.T) ways {
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(t, err)
	w := ways{connect: socket(t, pair[0]), agent: socket(t, pair[1])}
	w.in, w.engineIn, err = os.Pipe()
	must(t, err)
	w.engineOut, w.out, err = os.Pipe()
	must(t, err)
	must(t, w.agent.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() {
		for _, end := range []io.Closer{w.connect, w.agent, w.in, w.engineIn, w.engineOut, w.out} {
			end.Close()
		}
	})
	return w
}

func socket(t *testing.T, fd int) *net.UnixConn {
	t.Helper()
	file := os.NewFile(uintptr(fd), "socket")
	defer file.Close()
	connection, err := net.FileConn(file)
	must(t, err)
	return connection.(*net.UnixConn)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// given hands the pipes over; `connect` has none of them any more.
func (w ways) given(t *testing.T, rest string) net.Conn {
	t.Helper()
	must(t, Give(w.connect, int(w.in.Fd()), int(w.out.Fd()), []byte(rest)))
	w.in.Close()
	w.out.Close()
	taken, err := Take(w.agent)
	must(t, err)
	t.Cleanup(func() { taken.Close() })
	return taken
}

func TestTheAgentSpeaksOnThePipes(t *testing.T) {
	w := made(t)
	taken := w.given(t, "read too much, ")
	_, err := w.engineIn.Write([]byte("and the rest"))
	must(t, err)
	w.engineIn.Close()
	if got, err := io.ReadAll(taken); string(got) != "read too much, and the rest" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	_, err = taken.Write([]byte("an answer"))
	must(t, err)
	must(t, taken.Close())
	if got, err := io.ReadAll(w.engineOut); string(got) != "an answer" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := io.ReadAll(w.connect); len(got) != 0 || err != nil {
		t.Errorf("the end of `connect`: %q, %v", got, err)
	}
}

func TestTheEndOfConnectEndsItAll(t *testing.T) {
	w := made(t)
	taken := w.given(t, "")
	w.connect.Close()
	if _, err := io.ReadAll(w.engineOut); err != nil {
		t.Error(err)
	}
	if _, err := taken.Read(make([]byte, 1)); err == nil {
		t.Error("the input can still be read")
	}
}

func TestADeadlineOfTheConnectionIsOneOfThePipes(t *testing.T) {
	w := made(t)
	taken := w.given(t, "")
	must(t, taken.SetReadDeadline(time.Now().Add(-time.Second)))
	if _, err := taken.Read(make([]byte, 1)); !os.IsTimeout(err) {
		t.Error(err)
	}
}

func TestWithoutPipesTheSocketIsSpokenOn(t *testing.T) {
	w := made(t)
	_, err := w.connect.Write([]byte("PRI * HTTP/2.0"))
	must(t, err)
	must(t, w.connect.CloseWrite())
	taken, err := Take(w.agent)
	must(t, err)
	if got, err := io.ReadAll(taken); string(got) != "PRI * HTTP/2.0" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWhatIsNotExpectedIsRefusedAndNotKept(t *testing.T) {
	w := made(t)
	file, err := os.Open(os.DevNull)
	must(t, err)
	defer file.Close()
	pipe, other := int(w.in.Fd()), int(file.Fd())
	if Possible(pipe, other) || Possible(other, pipe) {
		t.Error("a file counts as a pipe")
	}
	for name, attached := range map[string][]int{"nothing": {}, "one": {pipe}, "three": {pipe, pipe, pipe}, "a file": {pipe, other}} {
		w := made(t)
		before := open(t)
		_, _, err := w.connect.WriteMsgUnix([]byte{0, 0, 0, 0}, syscall.UnixRights(attached...), nil)
		must(t, err)
		if _, err := Take(w.agent); err == nil {
			t.Errorf("%s is taken", name)
		}
		if after := open(t); after != before {
			t.Errorf("%s: %d files are open, %d before", name, after, before)
		}
	}
	cut := made(t)
	_, err = cut.connect.Write([]byte{0, 0, 0, 9, 'x'})
	must(t, err)
	cut.connect.Close()
	if _, err := Take(cut.agent); err == nil {
		t.Error("half a message is taken")
	}
}

func open(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}

func TestThePipeIsLargeOnlyWhileMuchIsWritten(t *testing.T) {
	old := largePipeTime
	largePipeTime = 50 * time.Millisecond
	defer func() { largePipeTime = old }()
	w := made(t)
	taken := w.given(t, "")
	size := func() uintptr {
		bytes, _, number := syscall.Syscall(syscall.SYS_FCNTL, w.engineOut.Fd(), 1032, 0) // F_GETPIPE_SZ
		if number != 0 {
			t.Fatal(number)
		}
		return bytes
	}
	_, err := taken.Write([]byte("little"))
	must(t, err)
	if got := size(); got != pipes.Small {
		t.Errorf("%d at first", got)
	}
	large := bytes.Repeat([]byte("x"), 2*bulkBytes)
	_, err = taken.Write(large)
	must(t, err)
	if got := size(); got != pipes.Large {
		t.Skipf("the kernel gives a pipe %d bytes", got)
	}
	_, err = io.ReadFull(w.engineOut, make([]byte, len("little")+len(large)))
	must(t, err)
	for deadline := time.Now().Add(patience); size() != pipes.Small; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d in the end", size())
		}
	}
	taken.Close()
}

func TestAPipeThatIsFullIsMadeSmallWhenItHasBeenRead(t *testing.T) {
	old := largePipeTime
	largePipeTime = 20 * time.Millisecond
	defer func() { largePipeTime = old }()
	w := made(t)
	taken := w.given(t, "")
	size := func() uintptr {
		bytes, _, _ := syscall.Syscall(syscall.SYS_FCNTL, w.engineOut.Fd(), 1032, 0) // F_GETPIPE_SZ
		return bytes
	}
	content := bytes.Repeat([]byte("x"), 4*pipes.Small)
	_, err := taken.Write(content)
	must(t, err)
	if got := size(); got != pipes.Large {
		t.Skipf("the kernel gives a pipe %d bytes", got)
	}
	time.Sleep(5 * largePipeTime)
	_, err = io.ReadFull(w.engineOut, content)
	must(t, err)
	for deadline := time.Now().Add(patience); size() != pipes.Small; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d in the end", size())
		}
	}
	taken.Close()
}

func TestMoreThanCanHaveBeenReadIsRefusedBeforeItComes(t *testing.T) {
	w := made(t)
	_, err := w.connect.Write([]byte{0, 0xff, 0xff, 0xff})
	must(t, err)
	if _, err := Take(w.agent); !errors.Is(err, errUnexpected) {
		t.Error(err)
	}
}
