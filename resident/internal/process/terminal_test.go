package process

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"agentcontainers/resident/internal/output"
	"agentcontainers/resident/internal/pipes"
	"agentcontainers/resident/internal/proc"
)

const terminal = `,"tty":{"width":80,"height":24}}`

func typed(t *testing.T, p *Process, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.Write(ctx, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestATerminalHasASizeThatChanges(t *testing.T) {
	p := start(t, `{"command":"trap 'stty size' WINCH; stty size; tty >/dev/null && echo is one; while :; do sleep 0.01; done"`+terminal)
	shows(t, p, "24 80\r\nis one\r\n")
	if err := p.Resize(Size{Width: 132, Height: 50}); err != nil {
		t.Fatal(err)
	}
	shows(t, p, "50 132\r\n")
	if info := p.Info(); *info.TTY != (Size{132, 50}) || info.Kind != KindTerminal || !info.Merged {
		t.Errorf("%+v", info)
	}
	if p.Resize(Size{0, 1}) == nil {
		t.Error("no width is taken")
	}
	killed(t, p, 0)
	if p.Resize(Size{1, 1}) == nil {
		t.Error("it is resized after its end")
	}
	if line(t, "true").Resize(Size{1, 1}) == nil {
		t.Error("what is no terminal is resized")
	}
}

func TestATerminalTakesKeys(t *testing.T) {
	p := start(t, `{"argv":["sh"],"env":{"PS1":"> "}`+terminal)
	shows(t, p, "> ")
	typed(t, p, "echo $((40+2)) $TERM\n")
	shows(t, p, "\r\n42 xterm-256color\r\n")
	typed(t, p, "sleep 1000\n")
	// Only now it has the terminal.
	eventually(t, "it sleeps", func() bool {
		members := membersOf(t, p)
		return slices.ContainsFunc(members, func(s proc.Stat) bool { return s.Name == "sleep" })
	})
	typed(t, p, "\x03")
	eventually(t, "it is interrupted", func() bool { return len(membersOf(t, p)) == 1 })
	typed(t, p, "exit 3\n")
	if exit := ended(t, p); exit.Code == nil || *exit.Code != 3 || exit.BackgroundHeld {
		t.Errorf("%+v", exit)
	}
}

func TestTheEndOfInputEndsATerminalsReader(t *testing.T) {
	p := start(t, `{"argv":["cat"]`+terminal)
	typed(t, p, "hello\n")
	shows(t, p, "hello\r\nhello\r\n")
	if err := p.EndInput(context.Background()); err != nil {
		t.Fatal(err)
	}
	if exit := ended(t, p); *exit.Code != 0 {
		t.Errorf("%+v", exit)
	}
}

func TestAnInteractiveShellEndsWithoutTheWholeGrace(t *testing.T) {
	p := start(t, `{"argv":["sh","-i"]`+terminal)
	typed(t, p, "echo $((40+2))\n")
	shows(t, p, "42\r\n")
	begun := time.Now()
	exit := killed(t, p, time.Minute)
	if exit.Reason != "killed" || time.Since(begun) > 50*time.Second {
		t.Errorf("%+v after %s", exit, time.Since(begun))
	}
}

func TestATerminalGivesEverythingBeforeItsEnd(t *testing.T) {
	for range 20 {
		p := start(t, `{"command":"seq 1 3000"`+terminal)
		ended(t, p)
		if got := everything(t, p); !strings.HasSuffix(got, "\r\n3000\r\n") || !strings.HasPrefix(got, "1\r\n2\r\n") {
			t.Fatalf("%d bytes, at the end %q", len(got), got[max(0, len(got)-20):])
		}
	}
}

func TestATerminalThatNobodyReadsCanBeInterrupted(t *testing.T) {
	p := start(t, `{"command":"yes","ring_bytes":65536`+terminal)
	eventually(t, "it runs over", func() bool { start, _ := p.log.Bounds(); return start > 1<<20 })
	typed(t, p, "\x03")
	if exit := ended(t, p); exit.Signal == nil || *exit.Signal != "SIGINT" {
		t.Errorf("%+v", exit)
	}
	blocked := start(t, `{"command":"yes","overflow":"block","ring_bytes":65536`+terminal)
	eventually(t, "it is full", func() bool { _, end := blocked.log.Bounds(); return end == 65536 })
	typed(t, blocked, "\x03")
	if exit := ended(t, blocked); exit.Signal == nil || *exit.Signal != "SIGINT" {
		t.Errorf("%+v", exit)
	}
}

func TestOutputIsHeldOnlyWhileSomebodyCanWrite(t *testing.T) {
	read, write, err := pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{log: output.NewLog(minRing, output.Drop, nil), streams: []*stream{newStream(pipes.File(read, "output"), output.Stdout)}}
	defer p.streams[0].file.Close()
	if !p.isHeld() {
		t.Error("an open pipe is not held")
	}
	if _, err := syscall.Write(write, []byte("still to be read")); err != nil {
		t.Fatal(err)
	}
	syscall.Close(write)
	if p.isHeld() {
		t.Error("a pipe that was closed is held by what nobody has read yet")
	}
	master, slave, err := openTerminal(Size{Width: 80, Height: 24})
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	p.streams = []*stream{newStream(master, output.Stdout)}
	if !p.isHeld() {
		t.Error("an open terminal is not held")
	}
	syscall.Close(slave)
	if p.isHeld() {
		t.Error("a terminal that was closed is held")
	}
}
