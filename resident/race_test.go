package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"agentcontainers/resident/internal/product"
)

// raceOptions makes the race detector write to files, as an agent has no standard error, and not wait for a second at the end.
const raceOptions = "GORACE"

func raceLog(run string) string { return filepath.Join(os.TempDir(), "races-of-"+run) }

// reportRaces begins this program anew, with options for the race detector: it reads them before anything else.
func reportRaces() {
	run, given := os.LookupEnv(product.RunID)
	if !raceDetector || !given || os.Getenv(raceOptions) != "" {
		return
	}
	options := raceOptions + "=atexit_sleep_ms=0 log_path=" + raceLog(run)
	_ = syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), options))
}

// racesOf takes what was reported.
func racesOf(run string) string {
	var all strings.Builder
	logs, _ := filepath.Glob(raceLog(run) + ".*")
	for _, log := range logs {
		content, _ := os.ReadFile(log)
		all.Write(content)
		os.Remove(log)
	}
	return all.String()
}
