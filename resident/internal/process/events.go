package process

import (
	"slices"
	"sync"

	"agentcontainers/resident/internal/frames"
	"agentcontainers/resident/internal/wake"
)

// maxBehind is how many events a reader may be behind.
const maxBehind = 1000

// Busy counts what runs.
type Busy struct {
	Commands  int `json:"commands"`
	Terminals int `json:"terminals"`
}

// Hub passes events on to any number of readers. It never waits for one.
type Hub struct {
	mu          sync.Mutex
	subscribers map[*Subscriber]struct{}
	closed      bool
}

// news is one event. Its JSON is made once, and only when someone reads it.
type news struct {
	event any
	once  sync.Once
	frame []byte
}

func (n *news) encoded() []byte {
	n.once.Do(func() { n.frame, _ = frames.EncodeJSON(n.event) })
	return n.frame
}

// subject is what an event tells the state of: a later one about the same tells all that is left to tell. Nothing: it stands
// for itself.
func (n *news) subject() string {
	switch event := n.event.(type) {
	case processEvent:
		return event.Process.ID
	case busyEvent:
		return event.Type
	}
	return ""
}

// Subscriber is one reader of events.
type Subscriber struct {
	hub   *Hub
	queue []*news
	// early is how many were in the queue at the beginning. They are as many as there are processes, and make nobody be behind.
	early   int
	changed chan struct{}
	ended   bool
}

func newHub() *Hub { return &Hub{subscribers: map[*Subscriber]struct{}{}} }

// Publish sends one event.
func (h *Hub) Publish(event any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subscribers) == 0 {
		return
	}
	n := &news{event: event}
	for s := range h.subscribers {
		s.add(n)
	}
}

func (h *Hub) subscribe() *Subscriber {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &Subscriber{hub: h, changed: make(chan struct{}, 1), ended: h.closed}
	if !h.closed {
		h.subscribers[s] = struct{}{}
	}
	wake.Up(s.changed)
	return s
}

// Close ends all readers once they have read what there is.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subscribers {
		s.ended = true
		wake.Up(s.changed)
		delete(h.subscribers, s)
	}
}

// add needs the lock of the hub.
func (s *Subscriber) add(n *news) {
	if subject := n.subject(); subject != "" {
		s.queue = slices.DeleteFunc(s.queue, func(old *news) bool { return old.subject() == subject })
	}
	if len(s.queue)-s.early >= maxBehind {
		s.queue, s.ended = nil, true
		delete(s.hub.subscribers, s)
	} else {
		s.queue = append(s.queue, n)
	}
	wake.Up(s.changed)
}

// begin gives this reader alone the events that it begins with.
func (s *Subscriber) begin(events []any) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.ended {
		return
	}
	for _, event := range events {
		s.queue = append(s.queue, &news{event: event})
	}
	s.early = len(events)
	wake.Up(s.changed)
}

// Changed receives when Take may give something.
func (s *Subscriber) Changed() <-chan struct{} { return s.changed }

// Take gives the frames that wait; what was overtaken is not among them. ended says that these are the last.
func (s *Subscriber) Take() (waiting [][]byte, ended bool) {
	s.hub.mu.Lock()
	queue := s.queue
	s.queue, s.early, ended = nil, 0, s.ended
	s.hub.mu.Unlock()
	for _, n := range queue {
		if frame := n.encoded(); frame != nil {
			waiting = append(waiting, frame)
		}
	}
	return waiting, ended
}

// Close ends this reader.
func (s *Subscriber) Close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.ended = true
	delete(s.hub.subscribers, s)
}

type processEvent struct {
	Type    string `json:"type"`
	Process Info   `json:"process"`
}

type forgottenEvent struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type busyEvent struct {
	Type string `json:"type"`
	Busy Busy   `json:"busy"`
}

type snapshotEvent struct {
	Type      string `json:"type"`
	Processes []Info `json:"processes"`
	Busy      Busy   `json:"busy"`
	Ports     any    `json:"ports,omitempty"`
}
