package server

import (
	"net/http"

	"agentcontainers/resident/internal/guard"
)

// drain answers first: the end may come at once.
func (s *Server) drain(w http.ResponseWriter, _ *http.Request) error {
	s.Table.Drain()
	err := noContent(w)
	guard.Go(s.Drain)
	return err
}

// shutdown ends all trees also when the caller does not wait for it.
func (s *Server) shutdown(w http.ResponseWriter, r *http.Request) error {
	grace, err := grace(r)
	if err != nil {
		return err
	}
	s.Table.Drain()
	done := make(chan struct{})
	guard.Go(func() {
		defer s.End()
		defer close(done)
		s.Table.KillAll(grace)
	})
	select {
	case <-done:
		return noContent(w)
	case <-r.Context().Done():
		return r.Context().Err()
	}
}
