package agent

import (
	"sync"
	"time"

	"agentcontainers/resident/internal/guard"
)

const (
	// unseenTime is how long a draining agent keeps the end of a command for a daemon that was away when it ended, seenTime how
	// long it stays once that is back.
	unseenTime = 10 * time.Minute
	seenTime   = 30 * time.Second
)

// lifetime decides when the agent ends by itself.
type lifetime struct {
	alone time.Duration
	// state tells how many processes run, and whether the agent is draining.
	state func() (running int, draining bool)
	end   func()
	after func(wait time.Duration, f func()) (stop func())

	mu          sync.Mutex
	connections int
	// unseen says that a process ended while there was no connection.
	unseen bool
	// stop ends the timer that runs; turn counts the decisions, so that a timer knows whether it is of the last.
	stop func()
	turn int
}

// connected is told whenever the number of connections has changed.
func (l *lifetime) connected(connections int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	came := connections > l.connections
	l.connections = connections
	l.decide(came)
}

// quiet is told whenever a process has ended.
func (l *lifetime) quiet() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unseen = l.unseen || l.connections == 0
	l.decide(false)
}

// reconsider is told when the agent has begun, and when it was told to drain.
func (l *lifetime) reconsider() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.decide(false)
}

// decide sets the time of the end anew; it is asked again when that comes. Needs the lock.
func (l *lifetime) decide(came bool) {
	l.turn++
	if l.stop != nil {
		l.stop()
		l.stop = nil
	}
	isBack := came && l.unseen
	l.unseen = l.unseen && !came
	running, draining := l.state()
	switch {
	case running > 0:
	case draining && isBack:
		l.endAfter(seenTime)
	case draining && l.unseen:
		l.endAfter(unseenTime)
	case draining:
		l.endAfter(0)
	case l.connections == 0 && l.alone > 0:
		l.endAfter(l.alone)
	}
}

// endAfter ends the agent then, when it is still not needed.
func (l *lifetime) endAfter(wait time.Duration) {
	turn := l.turn
	l.stop = l.after(wait, func() {
		l.mu.Lock()
		running, draining := l.state()
		over := l.turn == turn && running == 0 && (draining || l.connections == 0)
		l.mu.Unlock()
		if over {
			l.end()
		}
	})
}

// afterTime calls f in a goroutine of its own, unless stop is called before.
func afterTime(wait time.Duration, f func()) (stop func()) {
	timer := time.AfterFunc(wait, func() { guard.Do(f) })
	return func() { timer.Stop() }
}
