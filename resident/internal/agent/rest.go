package agent

import (
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"agentcontainers/resident/internal/guard"
)

// restTime is how long nothing is asked for until memory is given back.
const restTime = 5 * time.Second

// rest gives memory back after a time of work. While nothing happens it has no timer.
type rest struct {
	mu      sync.Mutex
	worked  bool
	waiting bool
	free    func()
	after   func(time.Duration, func())
}

func newRest() *rest {
	return &rest{free: freeMemory, after: func(wait time.Duration, f func()) {
		time.AfterFunc(wait, func() { guard.Do(f) })
	}}
}

// freeMemory cleans up twice: what pools hold is let go of by the second time.
func freeMemory() {
	runtime.GC()
	debug.FreeOSMemory()
}

// work is told whenever something was done.
func (r *rest) work() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.worked = true
	if !r.waiting {
		r.waiting = true
		r.after(restTime, r.look)
	}
}

func (r *rest) look() {
	r.mu.Lock()
	again := r.worked
	r.worked = false
	r.waiting = again
	if again {
		r.after(restTime, r.look)
	}
	r.mu.Unlock()
	if !again {
		r.free()
	}
}
