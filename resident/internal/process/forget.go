package process

import (
	"os"

	"agentcontainers/resident/internal/fault"
)

// Forget removes a process that has ended.
func (t *Table) Forget(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	p, known := t.processes[id]
	if !known {
		return fault.NotFound("there is no process %s", quoted(id))
	}
	if p.exit == nil {
		return fault.Conflict("the process still runs")
	}
	t.forget(p)
	return nil
}

func (t *Table) forget(p *Process) {
	delete(t.processes, p.ID)
	if p.key != "" {
		delete(t.keys, p.key)
	}
	for i, ended := range t.ended {
		if ended == p {
			t.ended = append(t.ended[:i], t.ended[i+1:]...)
			break
		}
	}
	p.log.Discard()
	close(p.forgotten)
	if p.terminal != nil {
		p.terminal.Close()
	} else {
		t.hold(p)
	}
	t.Hub.Publish(forgottenEvent{Type: "forgotten", ID: p.ID})
}

// hold keeps on reading what children of a forgotten process write: a closed pipe would end them.
func (t *Table) hold(p *Process) {
	still := t.held[:0]
	for _, h := range append(t.held, p) {
		select {
		case <-h.drained:
		default:
			still = append(still, h)
		}
	}
	for len(still) > maxHeld {
		still[0].letGo()
		still = append(still[:0], still[1:]...)
	}
	t.held = still
}

// letGo closes the streams of a process for good.
func (p *Process) letGo() {
	var files []*os.File
	p.log.Under(func() {
		for _, s := range p.streams {
			s.dropped = true
			files = append(files, s.file)
		}
	})
	// This waits for its reader, and that for the lock of the log.
	for _, file := range files {
		file.Close()
	}
}
