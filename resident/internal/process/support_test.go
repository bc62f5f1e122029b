package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"agentcontainers/resident/internal/output"
	"agentcontainers/resident/internal/proc"
)

// patience is how long a test waits for what has to happen, also on a busy machine.
const patience = 30 * time.Second

// unlimited is no limit to the kernel.
const unlimited = ^uint64(0)

var shared *Table

func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == undo {
		_ = setLocks(&limit{unlimited, unlimited}, nil)
		fmt.Println(syscall.Exec("/usr/bin/"+os.Args[2], os.Args[2:], os.Environ()))
		os.Exit(1)
	}
	CleanInheritance()
	if err := BecomeSubreaper(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	stop := make(chan struct{})
	directory, err := os.MkdirTemp("", "process-test")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	shared = NewTable(Config{
		Instance: fmt.Sprintf("%04x000000000000", os.Getpid()%65536), Workspace: directory, Directory: directory,
		Env: map[string]string{"PATH": os.Getenv("PATH"), "FROM_AGENT": "yes", "REMOVED": "no", "SHELL": defaultShell},
	})
	reaped := make(chan struct{})
	go func() { shared.Reap(stop); close(reaped) }()
	code := m.Run()
	shared.KillAll(0)
	close(stop)
	os.RemoveAll(directory)
	os.Exit(code)
}

// start starts from JSON, as a request does.
func start(t *testing.T, request string, args ...any) *Process {
	t.Helper()
	p, err := tryStart(fmt.Sprintf(request, args...))
	if err != nil {
		t.Fatal(err)
	}
	// Also a test that fails leaves nothing behind.
	t.Cleanup(func() {
		if t.Failed() {
			<-shared.Kill(p, 0, "killed")
		}
	})
	return p
}

func tryStart(request string) (*Process, error) {
	s, err := ParseStart([]byte(request))
	if err != nil {
		return nil, err
	}
	p, _, _, err := shared.Start(s, false)
	return p, err
}

// line starts a line of shell.
func line(t *testing.T, command string) *Process {
	t.Helper()
	quoted, _ := json.Marshal(command)
	return start(t, `{"command":%s}`, quoted)
}

func ended(t *testing.T, p *Process) Exit {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatalf("%s has not ended: %q", p.ID, everything(t, p))
	}
	return *p.Info().Exit
}

func killed(t *testing.T, p *Process, grace time.Duration) Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := shared.WaitEnd(ctx, p, shared.Kill(p, grace, "killed")); err != nil {
		t.Fatal(err)
	}
	return ended(t, p)
}

// everything gives what is kept of the output at the time.
func everything(t *testing.T, p *Process) string {
	t.Helper()
	out, _ := split(t, p)
	return out
}

func split(t *testing.T, p *Process) (merged string, stderr string) {
	t.Helper()
	r, err := p.Output(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all, second bytes.Buffer
	buffer := make([]byte, 64<<10)
	for {
		part := r.Read(buffer)
		all.Write(buffer[:part.N])
		if part.Kind == output.Stderr {
			second.Write(buffer[:part.N])
		}
		if part.N == 0 {
			return all.String(), second.String()
		}
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come that %s", what)
		}
	}
}

func shows(t *testing.T, p *Process, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%q is shown", text), func() bool { return strings.Contains(everything(t, p), text) })
}

// withMarker lists the living processes that have a variable with a value.
func withMarker(t *testing.T, name, value string) (pids []int) {
	t.Helper()
	list, err := proc.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if got, found := proc.Variable(s.PID, name); found && got == value && !s.Ended() {
			pids = append(pids, s.PID)
		}
	}
	return pids
}

// withArgument lists the living processes that have an argument.
func withArgument(t *testing.T, argument string) (pids []int) {
	t.Helper()
	list, err := proc.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		content, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.PID))
		if err == nil && !s.Ended() && slices.Contains(strings.Split(string(content), "\x00"), argument) {
			pids = append(pids, s.PID)
		}
	}
	return pids
}

func root(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
}
