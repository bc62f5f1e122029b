package process

import (
	"encoding/json"
	"sort"
	"sync"
	"syscall"
	"time"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/frames"
	"agentcontainers/resident/internal/guard"
	"agentcontainers/resident/internal/product"
)

const (
	maxRunning = 1024
	maxEnded   = 256
	// maxHeld bounds the forgotten processes whose output is still held by their children.
	maxHeld = 1024
)

// Config is what all processes of an agent share.
type Config struct {
	Instance string
	// Env is what the agent was started with. What is given later for its own user is not in it.
	Env       map[string]string
	Workspace string
	// Directory is where files for overflowing output go.
	Directory string
	// OOMKills counts the processes of the container that were killed for want of memory.
	OOMKills func() int64
	// Quiet is called without any lock when a process has ended or a start has failed: the agent may have nothing to do.
	Quiet func()
}

// Table has all processes of an agent.
type Table struct {
	config Config
	Hub    *Hub
	stamps *stamps

	mu sync.Mutex
	// given is the environment that came later, or nil.
	given     map[string]string
	last      int
	processes map[string]*Process
	// mains are the main processes that were not reaped yet.
	mains map[int]*Process
	ended []*Process
	keys  map[string]*keyed
	// held are forgotten, but their output is still read so that nobody is stopped by a full pipe.
	held     []*Process
	starting int
	// entering are the starts that have a place among the running and are not in the table yet. awaited is closed when there
	// are none any more; nil when nobody waits for that.
	entering int
	awaited  chan struct{}
	// strays are children that were reaped while a start was between its fork and its entry in mains.
	strays   map[int]syscall.WaitStatus
	past     past
	running  int
	limit    int
	keep     struct{ memory, files int64 }
	busy     Busy
	draining bool
}

// keyed is the process with a key, or the start of it that is on its way.
type keyed struct {
	ready   chan struct{}
	process *Process
	request string
}

// NewTable makes the table of an agent. Its Reap must be called for children to be known as ended.
func NewTable(config Config) *Table {
	t := &Table{
		config: config, Hub: newHub(), stamps: newStamps(config.Instance), limit: maxRunning,
		processes: map[string]*Process{}, mains: map[int]*Process{}, keys: map[string]*keyed{},
	}
	t.keep.memory, t.keep.files = maxEndedMemory, maxEndedFiles
	return t
}

// Counts tells what runs, and whether new starts are refused.
func (t *Table) Counts() (running int, busy Busy, draining bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.running, t.busy, t.draining
}

// SetEnvironment is the environment of all starts as the agent's user from now on. Nothing may change it afterwards. Starts
// as another user keep that of the agent's start: the profiles of one user, which what runs as that user can write, have no
// say in what another one runs.
func (t *Table) SetEnvironment(env map[string]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.given = env
}

// agentEnvironment needs the lock.
func (t *Table) agentEnvironment(who identity) map[string]string {
	if t.given == nil || who.switches {
		return t.config.Env
	}
	return t.given
}

// Drain refuses all further starts.
func (t *Table) Drain() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.draining = true
}

// Get finds a process that was not forgotten.
func (t *Table) Get(id string) (*Process, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p, known := t.processes[id]; known {
		return p, nil
	}
	return nil, fault.NotFound("there is no process %s", quoted(id))
}

// List gives all processes in the order of their start.
func (t *Table) List() []Info {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list()
}

func (t *Table) list() []Info {
	processes := make([]*Process, 0, len(t.processes))
	for _, p := range t.processes {
		processes = append(processes, p)
	}
	sort.Slice(processes, func(a, b int) bool {
		one, other := processes[a], processes[b]
		if len(one.ID) != len(other.ID) {
			return len(one.ID) < len(other.ID)
		}
		return one.ID < other.ID
	})
	infos := make([]Info, len(processes))
	for i, p := range processes {
		infos[i] = p.info()
	}
	return infos
}

// Subscribe gives a reader of events that begins with a snapshot. What does not fit into it follows as events.
func (t *Table) Subscribe(ports any) *Subscriber {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.Hub.subscribe()
	infos := t.list()
	fitting, bytes := 0, 0
	for fitting < len(infos) {
		content, err := json.Marshal(infos[fitting])
		if bytes += len(content) + 1; err != nil || bytes > frames.MaxJSONAnswer/2 {
			break
		}
		fitting++
	}
	first := []any{snapshotEvent{Type: "snapshot", Processes: infos[:fitting], Busy: t.busy, Ports: ports}}
	for _, info := range infos[fitting:] {
		first = append(first, processEvent{Type: "process", Process: info})
	}
	s.begin(first)
	return s
}

// started enters a process. Needs the lock.
func (t *Table) started(p *Process) {
	t.processes[p.ID] = p
	t.mains[p.pid] = p
	t.count(p.kind, 1)
	t.Hub.Publish(processEvent{Type: "process", Process: p.info()})
	t.Hub.Publish(busyEvent{Type: "busy", Busy: t.busy})
}

func (t *Table) count(kind string, by int) {
	if kind == KindTerminal {
		t.busy.Terminals += by
	} else {
		t.busy.Commands += by
	}
}

// finish makes the exit known.
func (t *Table) finish(p *Process, backgroundHeld bool) {
	if p.input != nil {
		p.input.stop()
	}
	t.mu.Lock()
	p.exit = t.exitOf(p, backgroundHeld)
	t.running--
	t.count(p.kind, -1)
	close(p.done)
	t.Hub.Publish(processEvent{Type: "process", Process: p.info()})
	t.Hub.Publish(busyEvent{Type: "busy", Busy: t.busy})
	t.ended = append(t.ended, p)
	for len(t.ended) > maxEnded {
		t.forget(t.ended[0])
	}
	t.trimEnded()
	t.mu.Unlock()
	t.quiet()
}

func (t *Table) quiet() {
	if t.config.Quiet != nil {
		guard.Go(t.config.Quiet)
	}
}

func (t *Table) exitOf(p *Process, backgroundHeld bool) *Exit {
	exit := &Exit{Reason: "exit", Survivors: p.survivors, BackgroundHeld: backgroundHeld, At: product.Time(time.Now())}
	if exit.Survivors == nil {
		exit.Survivors = []int{}
	}
	if p.status.Signaled() {
		name := SignalName(p.status.Signal())
		exit.Signal, exit.Reason = &name, "signal"
		if p.status.Signal() == syscall.SIGKILL && t.config.OOMKills != nil && t.config.OOMKills() > p.oomKills {
			exit.Reason = "oom"
		}
	} else {
		code := p.status.ExitStatus()
		exit.Code = &code
	}
	if p.endReason != "" {
		exit.Reason = p.endReason
	}
	return exit
}

func (t *Table) nextID() string {
	t.last++
	return t.idOf(t.last)
}
