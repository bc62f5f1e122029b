package server

import (
	"net/http"
	"time"

	"agentcontainers/resident/internal/frames"
	"agentcontainers/resident/internal/ports"
)

// portsTime is how often listeners are looked for, as long as somebody wants to know.
const portsTime = time.Second

// newsTime is how long is waited for more to tell: most commands end a moment after their start, and tell it once then.
const newsTime = 10 * time.Millisecond

type portsEvent struct {
	Type  string           `json:"type"`
	Ports []ports.Listener `json:"ports"`
}

// events sends events until the reader leaves, falls too far behind, or the agent ends.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	withPorts, err := flag(r, "ports")
	if err != nil {
		return err
	}
	var known []ports.Listener
	var snapshot any
	var tick <-chan time.Time
	if withPorts {
		if known, err = s.listeners(); err != nil {
			return err
		}
		snapshot = known
		ticker := time.NewTicker(portsTime)
		defer ticker.Stop()
		tick = ticker.C
	}
	subscriber := s.Table.Subscribe(snapshot)
	defer subscriber.Close()
	out := newFrameWriter(w)
	for {
		waiting, ended := subscriber.Take()
		for _, frame := range waiting {
			if _, err := out.w.Write(frame); err != nil {
				return err
			}
		}
		if ended {
			return nil
		}
		out.flush()
		select {
		case <-subscriber.Changed():
			time.Sleep(newsTime)
		case <-tick:
			if known, err = s.tellPorts(out, known); err != nil {
				return err
			}
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
}

// tellPorts sends the listeners when they are others than before. Their processes are looked for only then.
func (s *Server) tellPorts(out *frameWriter, known []ports.Listener) ([]ports.Listener, error) {
	now, err := ports.List()
	if err != nil || ports.Same(known, now) {
		return known, nil
	}
	ports.Name(now, s.Table.OwnerOf)
	frame, err := frames.EncodeJSON(portsEvent{Type: "ports", Ports: now})
	if err == nil {
		_, err = out.w.Write(frame)
	}
	return now, err
}
