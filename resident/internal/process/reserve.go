package process

import (
	"encoding/json"
	"time"

	"agentcontainers/resident/internal/fault"
)

// startTime bounds how long the end of all waits for a start that is on its way: a file system that hangs can hold it.
const startTime = 5 * time.Second

// reserve takes a place among the running, and the key.
func (t *Table) reserve(s *Start) (entry *keyed, known *Process, err error) {
	request := ""
	if s.Key != "" {
		content, err := json.Marshal([]any{s.Argv, s.Command})
		if err != nil {
			return nil, nil, fault.From("reading the request", err)
		}
		request = string(content)
	}
	for {
		t.mu.Lock()
		before := t.keys[s.Key]
		if s.Key != "" && before != nil {
			t.mu.Unlock()
			if before.request != request {
				return nil, nil, fault.Conflict("the key belongs to another command")
			}
			<-before.ready
			if before.process != nil {
				return nil, before.process, nil
			}
			continue
		}
		if t.draining {
			err = fault.Draining()
		} else if t.running >= t.limit {
			err = fault.TooMany("%d processes run already", t.limit)
		} else {
			t.running++
			t.entering++
			if s.Key != "" {
				entry = &keyed{ready: make(chan struct{}), request: request}
				t.keys[s.Key] = entry
			}
		}
		t.mu.Unlock()
		return entry, nil, err
	}
}

// entered is called when a start that was reserved is in the table, or has failed. Needs the lock.
func (t *Table) entered() {
	if t.entering--; t.entering == 0 && t.awaited != nil {
		close(t.awaited)
		t.awaited = nil
	}
}

// awaitStarts waits until the starts that were on their way when draining began can be found in the table.
func (t *Table) awaitStarts() {
	t.mu.Lock()
	if !t.draining || t.entering == 0 {
		t.mu.Unlock()
		return
	}
	if t.awaited == nil {
		t.awaited = make(chan struct{})
	}
	awaited := t.awaited
	t.mu.Unlock()
	within(startTime, awaited)
}
