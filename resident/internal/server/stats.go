package server

import (
	"net/http"
	"os"
	"strconv"
	"strings"

	"agentcontainers/resident/internal/cgroup"
)

type residentStats struct {
	RSS *int64 `json:"rss"`
}

func (s *Server) stats(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, struct {
		cgroup.Stats
		Resident residentStats `json:"resident"`
	}{s.Cgroup.Stats(), residentStats{ownMemory()}})
}

// ownMemory is what of this program is in memory, in bytes.
func ownMemory() *int64 {
	content, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return nil
	}
	fields := strings.Fields(string(content))
	if len(fields) < 2 {
		return nil
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return nil
	}
	bytes := pages * int64(os.Getpagesize())
	return &bytes
}
