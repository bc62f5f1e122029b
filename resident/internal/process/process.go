package process

import (
	"context"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/output"
	"agentcontainers/resident/internal/product"
)

// maxShownArguments bounds what is told of a command line.
const maxShownArguments = 16 << 10

// Process is one command or terminal. What is not said to be guarded otherwise is set before others can see it.
type Process struct {
	ID       string
	log      *output.Log
	streams  []*stream
	input    *input
	terminal *os.File

	table *Table
	pid   int
	start uint64
	// number is the one in the id; what belongs to the process is stamped with it.
	number    int
	argv      []string
	command   *string
	cwd       string
	user      string
	merged    bool
	kind      string
	key       string
	startedAt time.Time
	grace     time.Duration
	timeout   time.Duration
	oomKills  int64

	// drained is closed when all streams have ended, sealed when all that the main process wrote is in the log, reapedNow when
	// the main process has ended, done when the exit is known, forgotten when nobody can ask for it any more.
	drained   chan struct{}
	sealed    chan struct{}
	sealOnce  sync.Once
	reapedNow chan struct{}
	done      chan struct{}
	forgotten chan struct{}
	measured  atomic.Bool

	// These are guarded by the lock of the table.
	timer     *time.Timer
	size      *Size
	reaped    bool
	status    syscall.WaitStatus
	endReason string
	killing   *killing
	survivors []int
	exit      *Exit
}

// Exit tells how a process ended.
type Exit struct {
	Code           *int    `json:"code"`
	Signal         *string `json:"signal"`
	Reason         string  `json:"reason"`
	Survivors      []int   `json:"survivors"`
	BackgroundHeld bool    `json:"background_held"`
	At             string  `json:"at"`
}

// Info is what is told of a process.
type Info struct {
	ID        string   `json:"id"`
	PID       int      `json:"pid"`
	Argv      []string `json:"argv"`
	Command   *string  `json:"command,omitempty"`
	Cwd       string   `json:"cwd"`
	User      string   `json:"user"`
	TTY       *Size    `json:"tty"`
	Merged    bool     `json:"merged"`
	Kind      string   `json:"kind"`
	Key       string   `json:"key,omitempty"`
	StartedAt string   `json:"started_at"`
	Running   bool     `json:"running"`
	Exit      *Exit    `json:"exit,omitempty"`
	Survivors []int    `json:"survivors,omitempty"`
	Output    Kept     `json:"output"`
	Stdin     *Stdin   `json:"stdin,omitempty"`
}

// Stdin is told of standard input that was asked for.
type Stdin struct {
	// Written are the bytes that were written to it, by whomever.
	Written int64 `json:"written"`
	Open    bool  `json:"open"`
}

// Kept are the offsets of what can be read. Stalled: the process stands still until somebody reads.
type Kept struct {
	Start   int64 `json:"start"`
	End     int64 `json:"end"`
	Stalled bool  `json:"stalled,omitempty"`
}

// Info gives the state at the time.
func (p *Process) Info() Info {
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	return p.info()
}

func (p *Process) info() Info {
	i := Info{
		ID: p.ID, PID: p.pid, Argv: p.argv, Command: p.command, Cwd: p.cwd, User: p.user, Merged: p.merged, Kind: p.kind,
		Key: p.key, StartedAt: product.Time(p.startedAt), Running: p.exit == nil,
	}
	if p.size != nil {
		size := *p.size
		i.TTY = &size
	}
	if p.exit != nil {
		exit := *p.exit
		i.Exit = &exit
	} else {
		i.Survivors = p.survivors
	}
	i.Output.Start, i.Output.End = p.log.Bounds()
	i.Output.Stalled = i.Running && p.log.Stalled()
	if p.input != nil {
		i.Stdin = &Stdin{Written: p.input.written.Load(), Open: p.input.isOpen()}
	}
	return i
}

// Done is closed when the exit is known.
func (p *Process) Done() <-chan struct{} { return p.done }

// Output gives a reader of what the process writes.
func (p *Process) Output(offset int64) (*output.Reader, error) { return p.log.NewReader(offset) }

// HasTerminal tells whether it was started with a terminal.
func (p *Process) HasTerminal() bool { return p.terminal != nil }

// Write writes to the standard input, and returns when all was taken.
func (p *Process) Write(ctx context.Context, content []byte) error {
	if p.input == nil {
		return fault.Conflict("the process was started without standard input")
	}
	return p.input.write(ctx, content)
}

// EndInput closes the standard input; a terminal gets its end-of-file character.
func (p *Process) EndInput(ctx context.Context) error {
	if p.input == nil {
		return fault.Conflict("the process was started without standard input")
	}
	return p.input.end(ctx)
}

// Resize changes the size of a terminal; its programs are told by the kernel.
func (p *Process) Resize(size Size) error {
	if err := size.Check(); err != nil {
		return err
	}
	if p.terminal == nil {
		return fault.Conflict("the process has no terminal")
	}
	p.table.mu.Lock()
	defer p.table.mu.Unlock()
	if p.exit != nil {
		return fault.Conflict("the process has ended")
	}
	raw, err := p.terminal.SyscallConn()
	if err == nil {
		var setErr error
		err = raw.Control(func(fd uintptr) { setErr = setSize(int(fd), size) })
		if err == nil {
			err = setErr
		}
	}
	if err != nil {
		return fault.From("resizing the terminal", err)
	}
	p.size = &size
	return nil
}

// shown cuts a command line to what is told of it.
func shown(argv []string) []string {
	left := maxShownArguments
	out := make([]string, 0, len(argv))
	for _, argument := range argv {
		if left <= 0 {
			return append(out, "…")
		}
		out = append(out, cut(argument, left))
		left -= len(argument) + 1
	}
	return out
}

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
