package server

import (
	"net/http"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/ports"
)

func (s *Server) ports(w http.ResponseWriter, _ *http.Request) error {
	listeners, err := s.listeners()
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, map[string]any{"ports": listeners})
}

// listeners gives what listens, with the processes.
func (s *Server) listeners() ([]ports.Listener, error) {
	listeners, err := ports.List()
	if err != nil {
		return nil, fault.From("reading what listens", err)
	}
	ports.Name(listeners, s.Table.OwnerOf)
	return listeners, nil
}
