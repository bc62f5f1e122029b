package process

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/guard"
	"agentcontainers/resident/internal/output"
	"agentcontainers/resident/internal/proc"
)

const (
	// drainTime is how long what a process wrote last is waited for when others hold its output.
	drainTime = 100 * time.Millisecond
	// A program that was written a moment ago can still be open for writing in a child that was just forked.
	busyRetries = 10
	busyPause   = 20 * time.Millisecond
)

// Start starts a process. With watch it also gives a reader that misses nothing. existed says that the process is one that
// was started with the same key before; its reader begins with what is kept.
func (t *Table) Start(s *Start, watch bool) (p *Process, reader *output.Reader, existed bool, err error) {
	entry, known, err := t.reserve(s)
	if err != nil {
		return nil, nil, false, err
	}
	if known != nil {
		if watch {
			reader, err = known.Output(0)
		}
		return known, reader, true, err
	}
	p, err = t.spawn(s)
	t.mu.Lock()
	t.entered()
	if entry != nil {
		if entry.process = p; p == nil {
			delete(t.keys, s.Key)
		}
		close(entry.ready)
	}
	if err != nil {
		t.running--
		t.mu.Unlock()
		t.quiet()
		return nil, nil, false, err
	}
	t.mu.Unlock()
	if watch {
		reader, err = p.Output(0)
	}
	p.begin()
	return p, reader, false, err
}

// spawn makes the process and enters it into the table. Nothing reads its output yet.
func (t *Table) spawn(s *Start) (*Process, error) {
	who, err := resolveUser(s.User)
	if err != nil {
		return nil, err
	}
	cwd, err := t.directory(s.Cwd)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	id, own := t.nextID(), t.agentEnvironment(who)
	number := t.last
	t.mu.Unlock()
	variables := environment(own, who, s, cwd, id)
	argv := commandLine(s, variables)
	program, err := findProgram(argv[0], variables, cwd)
	if err != nil {
		return nil, err
	}
	stdio, err := openStdio(s, who)
	if err != nil {
		return nil, fault.From("making the pipes of the command", err)
	}
	p := t.newProcess(s, id, who, cwd, argv, stdio)
	p.number = number
	attributes := &syscall.ProcAttr{
		Dir: cwd, Env: list(variables), Files: []uintptr{uintptr(stdio.child[0]), uintptr(stdio.child[1]), uintptr(stdio.child[2])},
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: s.TTY != nil, Credential: who.credential()},
	}
	if err := t.fork(p, program, argv, attributes); err != nil {
		stdio.close()
		return nil, refusedProgram(argv[0], err)
	}
	stdio.releaseChild()
	return p, nil
}

func (t *Table) newProcess(s *Start, id string, who identity, cwd string, argv []string, stdio *stdio) *Process {
	p := &Process{
		ID: id, table: t, streams: stdio.streams, input: stdio.input, terminal: stdio.terminal, argv: shown(argv), cwd: cwd,
		user: who.Name, merged: s.Merged || s.TTY != nil, kind: s.Kind, key: s.Key, grace: s.grace(), size: s.TTY,
		drained: make(chan struct{}), sealed: make(chan struct{}), reapedNow: make(chan struct{}),
		done: make(chan struct{}), forgotten: make(chan struct{}),
		startedAt: time.Now(),
	}
	if s.Command != nil {
		line := cut(*s.Command, maxShownArguments)
		p.command = &line
	}
	p.log = output.NewLog(s.ring(), s.overflow(), t.spillFile)
	if s.TimeoutMS != nil {
		p.timeout = time.Duration(*s.TimeoutMS) * time.Millisecond
	}
	if t.config.OOMKills != nil {
		p.oomKills = t.config.OOMKills()
	}
	return p
}

// fork starts the program and enters it.
func (t *Table) fork(p *Process, program string, argv []string, attributes *syscall.ProcAttr) (err error) {
	for range busyRetries {
		err = t.forkOnce(p, program, argv, attributes)
		if !errors.Is(err, syscall.ETXTBSY) {
			break
		}
		time.Sleep(busyPause)
	}
	return err
}

// forkOnce may find that the process was reaped before it could be entered.
func (t *Table) forkOnce(p *Process, program string, argv []string, attributes *syscall.ProcAttr) (err error) {
	if t.stamps.base == 0 {
		// Without a stamp it must not be seen before it is entered.
		t.stamps.turn.Lock()
		defer t.stamps.turn.Unlock()
	}
	t.mu.Lock()
	if t.starting++; t.strays == nil {
		t.strays = map[int]syscall.WaitStatus{}
	}
	t.mu.Unlock()
	// Of one that has ended before it is looked at: no earlier, else it would count as there since ever.
	p.start = ticks()
	var pid int
	t.stamps.fork(p.number, func() { pid, err = syscall.ForkExec(program, argv, attributes) })
	t.mu.Lock()
	defer t.mu.Unlock()
	status, stray := t.strays[pid]
	if t.starting--; t.starting == 0 {
		t.strays = nil
	}
	if err != nil {
		return err
	}
	p.pid = pid
	stat, statErr := proc.ReadStat(pid)
	if statErr == nil {
		p.start = stat.Start
	}
	t.started(p)
	if p.timeout > 0 {
		p.timer = time.AfterFunc(p.timeout, func() { guard.Do(func() { t.Kill(p, p.grace, "timeout") }) })
	}
	// A stray of this number may be an orphan that had it before. Ours leads its own session.
	if stray && (statErr != nil || stat.Parent != os.Getpid() || stat.Session != pid) {
		t.reapedMain(p, status)
	}
	return nil
}

// begin reads the output from now on.
func (p *Process) begin() {
	for _, s := range p.streams {
		guard.Go(func() { p.pump(s) })
	}
}

func (t *Table) directory(wanted string) (string, error) {
	directory := wanted
	if directory == "" || !filepath.IsAbs(directory) {
		directory = filepath.Join("/", t.config.Workspace, wanted)
	}
	info, err := os.Stat(directory)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return "", fault.FromMissing(fault.CwdNotFound, "changing into "+quoted(directory), err)
	}
	return filepath.Clean(directory), nil
}

// spillFile has no name: it is gone with its last reader, whatever happens to the agent.
func (t *Table) spillFile() (*os.File, error) {
	file, err := os.CreateTemp(t.config.Directory, ".spill-")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name())
	return file, nil
}
