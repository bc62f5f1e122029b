package main

import (
	"testing"

	"agentcontainers/resident/internal/proc"
)

// tagged lists the living processes that have a variable with a value.
func tagged(t *testing.T, name, value string) (pids []int) {
	t.Helper()
	list, err := proc.List()
	must(t, err)
	for _, s := range list {
		if got, found := proc.Variable(s.PID, name); found && got == value && !s.Ended() {
			pids = append(pids, s.PID)
		}
	}
	return pids
}
