package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log"
	"math"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"agentcontainers/resident/internal/cgroup"
	"agentcontainers/resident/internal/greeting"
	"agentcontainers/resident/internal/guard"
	"agentcontainers/resident/internal/pipes"
	"agentcontainers/resident/internal/process"
	"agentcontainers/resident/internal/product"
	"agentcontainers/resident/internal/rundir"
	"agentcontainers/resident/internal/server"
)

const (
	// endTime is how long answers that are under way may take when the agent ends.
	endTime = 30 * time.Second
	// flushTime is for their last bytes, which are written after a route has returned.
	flushTime   = 300 * time.Millisecond
	activePause = 5 * time.Millisecond
	// termGrace is the grace of commands when the agent is told to end by a signal.
	termGrace = 2 * time.Second

	maxStreams = 4096
	// streamWindow is what a stream may send without being read. All streams together have room in the window of their
	// connection, so that one that nobody reads never stops another.
	streamWindow     = 256 << 10
	connectionWindow = maxStreams * streamWindow
	maxFrame         = 64 << 10
	maxHeaders       = 64 << 10
)

func init() {
	if connectionWindow > math.MaxInt32 {
		panic("the windows do not fit")
	}
}

// Run is `resident agent`. It returns when the agent has nothing to do any more.
func Run() int {
	unblockSignals()
	var reporting *os.File
	if pipes.Is(reportFD) {
		reporting = os.NewFile(reportFD, "report")
	}
	a, err := begin(os.Stdin)
	if err != nil {
		report(reporting, Report{Locked: errors.Is(err, rundir.ErrLocked), Message: err.Error()})
		return 1
	}
	report(reporting, Report{OK: true})
	return a.serve()
}

type agent struct {
	order  *Order
	lock   *os.File
	door   *door
	table  *process.Table
	life   *lifetime
	server *server.Server
	http   *http.Server
	ending chan struct{}
	once   sync.Once
}

// begin takes the lock first: whoever has it is the only agent of this binary.
func begin(from io.Reader) (*agent, error) {
	if err := settleIn(); err != nil {
		return nil, err
	}
	order, err := readOrder(from)
	if err != nil {
		return nil, err
	}
	leaveInput()
	lock, err := rundir.Lock(order.Directory, order.Digest)
	if err != nil {
		return nil, err
	}
	a := &agent{order: order, lock: lock, ending: make(chan struct{})}
	instance, err := newInstance(append(order.Neighbours, order.Directory))
	if err != nil {
		return nil, err
	}
	startedAt := time.Now()
	group := cgroup.Find()
	resting := newRest()
	a.table = process.NewTable(process.Config{
		Instance: instance, Env: order.Greeting.Env, Workspace: order.Greeting.Workspace, Directory: order.Directory,
		OOMKills: group.OOMKillCount, Quiet: func() { resting.work(); a.life.quiet() },
	})
	a.life = &lifetime{
		alone: time.Duration(order.Greeting.ExitWhenAloneMS) * time.Millisecond, end: a.end, after: afterTime,
		state: func() (int, bool) { running, _, draining := a.table.Counts(); return running, draining },
	}
	a.server = server.New(server.Agent{
		Table: a.table, Cgroup: group, Digest: order.Digest, Instance: instance, Workspace: order.Greeting.Workspace, StartedAt: startedAt,
		Drain: func() { a.table.Drain(); a.life.reconsider() }, End: a.end, Ending: a.ending, Worked: resting.work,
	})
	a.http = newServer(a.server)
	return a, a.open(instance, startedAt)
}

func (a *agent) open(instance string, startedAt time.Time) error {
	state := rundir.State{
		PID: os.Getpid(), Protocol: product.Protocol, Version: product.Version, Digest: a.order.Digest,
		StartedAt: product.Time(startedAt), Instance: instance,
	}
	if err := rundir.WriteState(a.order.Directory, state); err != nil {
		return err
	}
	hello := greeting.Answer{
		OK: true, Protocol: state.Protocol, Version: state.Version, Digest: state.Digest, Instance: instance, PID: state.PID,
		StartedAt: state.StartedAt, Others: []greeting.Other{}, Direct: true,
	}
	var err error
	if a.door, err = openDoor(a.order, hello, a.life.connected, a.abandoned()); err != nil {
		return err
	}
	guard.Go(a.door.listen)
	return nil
}

func newServer(handler http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: handler, Protocols: protocols, MaxHeaderBytes: maxHeaders, ErrorLog: log.New(io.Discard, "", 0),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerStream: streamWindow, MaxReceiveBufferPerConnection: connectionWindow,
			MaxReadFrameSize: maxFrame,
		},
	}
}

// serve runs until the end of the agent.
func (a *agent) serve() int {
	// For as long as this program runs.
	guard.Go(func() { a.table.Reap(nil) })
	guard.Go(a.obeySignals)
	// Somebody may be connected already.
	a.life.reconsider()
	_ = a.http.Serve(a.door)
	// Only an end that was decided closes the door.
	<-a.ending
	a.finishAnswers()
	_ = os.Remove(rundir.SocketPath(a.order.Directory, a.order.Digest))
	_ = os.Remove(rundir.StatePath(a.order.Directory, a.order.Digest))
	a.lock.Close()
	return 0
}

// finishAnswers waits for the answers that are under way, and then a moment for their last bytes.
func (a *agent) finishAnswers() {
	for deadline := time.Now().Add(endTime); a.server.Active() > 0 && time.Now().Before(deadline); {
		time.Sleep(activePause)
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if a.http.Shutdown(ctx) != nil {
		_ = a.http.Close()
	}
}

// end begins the end: nothing is started any more, nobody is let in, what is under way is answered.
func (a *agent) end() {
	a.once.Do(func() {
		a.table.Drain()
		close(a.ending)
		a.table.Hub.Close()
		a.door.Close()
	})
}

// abandoned ends the agent with all that runs under it. A daemon that comes back gives no time after which it is alone.
func (a *agent) abandoned() func() {
	if a.life.alone == 0 {
		return nil
	}
	return sync.OnceFunc(func() {
		guard.Go(func() {
			a.table.Drain()
			a.table.KillAll(termGrace)
			a.end()
		})
	})
}

func (a *agent) obeySignals() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	// The end of a session or a key in some terminal is none of our business.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	select {
	case <-told:
		a.table.Drain()
		a.table.KillAll(termGrace)
		a.end()
	case <-a.ending:
	}
}

// newInstance makes a random name whose beginning no other agent of the container has: ids of processes begin with it.
func newInstance(directories []string) (string, error) {
	taken := map[string]bool{}
	for _, directory := range directories {
		for _, state := range rundir.States(directory) {
			if len(state.Instance) >= 4 {
				taken[state.Instance[:4]] = true
			}
		}
	}
	for range 1000 {
		var random [8]byte
		if _, err := rand.Read(random[:]); err != nil {
			return "", err
		}
		if instance := hex.EncodeToString(random[:]); !taken[instance[:4]] {
			return instance, nil
		}
	}
	return "", errors.New("there is no free instance name")
}

func pidText() string { return strconv.Itoa(os.Getpid()) }
