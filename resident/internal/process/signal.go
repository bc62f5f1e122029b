package process

import (
	"syscall"

	"agentcontainers/resident/internal/fault"
)

// Signal sends a signal to the main process, or to the whole tree.
func (t *Table) Signal(p *Process, signal syscall.Signal, whole bool) error {
	t.mu.Lock()
	ended := p.reaped
	if !ended && !whole {
		defer t.mu.Unlock()
		if err := syscall.Kill(p.pid, signal); err != nil {
			return fault.From("sending the signal", err)
		}
		return nil
	}
	t.mu.Unlock()
	if ended && !whole {
		return fault.Conflict("the process has ended")
	}
	found := newTree(p)
	if err := t.scan([]*tree{found}); err != nil {
		return fault.From("looking for the processes", err)
	}
	if len(found.members) == 0 {
		return fault.Conflict("the process has ended")
	}
	var refused error
	reached := false
	for _, s := range found.members {
		if err := t.send(found, s, signal); err != nil {
			refused = err
		} else {
			reached = true
		}
	}
	if !reached {
		return fault.From("sending the signal", refused)
	}
	return nil
}
