package server

import (
	"context"
	"sync"

	"agentcontainers/resident/internal/guard"
	"agentcontainers/resident/internal/process"
	"agentcontainers/resident/internal/wake"
)

const (
	// maxTyped bounds the input that waits for a program to read it, in bytes; it is what a stream may send without being read.
	maxTyped = 256 << 10
	// frameCost is counted for each frame on top of its bytes, so that small ones are bounded as well.
	frameCost = 64
)

// typing is input on its way to a terminal. It waits beside the frames that come, so that a new size does not wait behind it.
type typing struct {
	mu      sync.Mutex
	waiting [][]byte
	cost    int
	over    bool
	// changed wakes the writer, room whoever waits to put something.
	changed, room chan struct{}
}

// startTyping writes what is put to a terminal, in order, until the context ends or finish was called and all is written.
func startTyping(ctx context.Context, p *process.Process) *typing {
	q := &typing{changed: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	guard.Go(func() {
		for {
			payload, over := q.next()
			switch {
			case payload == nil && over:
				return
			case payload == nil:
				select {
				case <-q.changed:
				case <-ctx.Done():
					return
				}
				continue
			case len(payload) == 0:
				_ = p.EndInput(ctx)
			default:
				_ = p.Write(ctx, payload)
			}
			if ctx.Err() != nil {
				// What was written last is not whole: no more may follow it, and least of all the end.
				return
			}
			q.written(payload)
		}
	})
	return q
}

// put queues a payload, an empty one for the end. It waits while there is no room.
func (q *typing) put(ctx context.Context, payload []byte) {
	for {
		q.mu.Lock()
		if q.cost == 0 || q.cost+len(payload)+frameCost <= maxTyped {
			q.cost += len(payload) + frameCost
			q.waiting = append(q.waiting, append([]byte{}, payload...))
			q.mu.Unlock()
			wake.Up(q.changed)
			return
		}
		q.mu.Unlock()
		select {
		case <-q.room:
		case <-ctx.Done():
			return
		}
	}
}

// finish says that nothing more is put.
func (q *typing) finish() {
	q.mu.Lock()
	q.over = true
	q.mu.Unlock()
	wake.Up(q.changed)
}

func (q *typing) next() (payload []byte, over bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil, q.over
	}
	return q.waiting[0], q.over
}

func (q *typing) written(payload []byte) {
	q.mu.Lock()
	q.waiting[0] = nil
	if q.waiting = q.waiting[1:]; len(q.waiting) == 0 {
		q.waiting = nil
	}
	q.cost -= len(payload) + frameCost
	q.mu.Unlock()
	wake.Up(q.room)
}
