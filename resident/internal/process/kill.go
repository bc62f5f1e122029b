package process

import (
	"context"
	"slices"
	"time"

	"agentcontainers/resident/internal/guard"
	"agentcontainers/resident/internal/wake"
)

// killing is the end of a tree that is under way.
type killing struct {
	done chan struct{}
	// deadline is when the grace is over; it is guarded by the lock of the table, and sooner is told when it was moved.
	deadline time.Time
	sooner   chan struct{}
}

// Kill begins to end the whole tree of a process, or makes an end that is under way as soon as this one. The channel is
// closed when the tree is gone, or what is left of it is known.
func (t *Table) Kill(p *Process, grace time.Duration, reason string) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, fresh := t.beginKill(p, grace, reason)
	if fresh {
		guard.Go(func() { t.endTrees([]*Process{p}, false, k) })
	}
	return k.done
}

// KillAll ends all trees at once, those of processes that have ended or were forgotten too, and returns when they are gone.
// After Drain nothing that was to be started before is left behind.
func (t *Table) KillAll(grace time.Duration) {
	t.awaitStarts()
	var fresh []*Process
	var waits []*killing
	shared := newKilling(grace)
	t.mu.Lock()
	for _, p := range t.processes {
		if p.killing != nil {
			k, _ := t.beginKill(p, grace, "killed")
			waits = append(waits, k)
			continue
		}
		p.killing = shared
		if !p.reaped {
			p.endReason = "killed"
		}
		fresh = append(fresh, p)
	}
	t.mu.Unlock()
	guard.Do(func() { t.endTrees(fresh, true, shared) })
	for _, k := range waits {
		<-k.done
	}
	for _, p := range fresh {
		t.mu.Lock()
		expected := p.reaped
		t.mu.Unlock()
		if expected {
			<-p.done
		}
	}
}

func newKilling(grace time.Duration) *killing {
	return &killing{done: make(chan struct{}), deadline: time.Now().Add(grace), sooner: make(chan struct{}, 1)}
}

// beginKill needs the lock.
func (t *Table) beginKill(p *Process, grace time.Duration, reason string) (k *killing, fresh bool) {
	if k = p.killing; k != nil {
		if deadline := time.Now().Add(grace); deadline.Before(k.deadline) {
			k.deadline = deadline
			wake.Up(k.sooner)
		}
		return k, false
	}
	k = newKilling(grace)
	p.killing = k
	if !p.reaped {
		p.endReason = reason
	}
	return k, true
}

// willEnd says of a process that was killed that its exit is known, or is to come: its main process may be dead and not
// reaped yet.
func (t *Table) willEnd(p *Process) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return p.reaped || !slices.Contains(p.survivors, p.pid)
}

// WaitEnd waits for the exit of a process that was killed, as far as one is to come.
func (t *Table) WaitEnd(ctx context.Context, p *Process, killed <-chan struct{}) error {
	select {
	case <-killed:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !t.willEnd(p) {
		return nil
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
