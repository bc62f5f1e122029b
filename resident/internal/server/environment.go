package server

import (
	"net/http"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/proc"
)

// environment takes the environment that commands get from now on, whole. Those that run keep theirs.
func (s *Server) environment(w http.ResponseWriter, r *http.Request) error {
	var request struct {
		Env map[string]string `json:"env"`
	}
	if err := decode(r, &request, false); err != nil {
		return err
	}
	if request.Env == nil {
		return fault.Invalid("env is missing")
	}
	for name, value := range request.Env {
		if !proc.IsVariable(name, value) {
			return fault.Invalid("env has a name or value that no process can have")
		}
	}
	s.Table.SetEnvironment(request.Env)
	return noContent(w)
}
