package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"agentcontainers/resident/internal/greeting"
)

const (
	maxStateBytes = 64 << 10
	maxStates     = 64
	dialTime      = 2 * time.Second
)

// State is what an agent leaves for others to read.
type State struct {
	PID       int    `json:"pid"`
	Protocol  int    `json:"protocol"`
	Version   string `json:"version"`
	Digest    string `json:"digest"`
	StartedAt string `json:"startedAt"`
	Instance  string `json:"instance"`
}

// SocketPath, LockPath and StatePath are the files of one binary.
func SocketPath(directory, digest string) string {
	return filepath.Join(directory, Short(digest)+".sock")
}

// LockPath is held by flock as long as the agent lives.
func LockPath(directory, digest string) string {
	return filepath.Join(directory, Short(digest)+".lock")
}

// StatePath has the agent's State.
func StatePath(directory, digest string) string {
	return filepath.Join(directory, Short(digest)+".json")
}

// WriteState replaces the state file in one step.
func WriteState(directory string, state State) error {
	content, err := json.Marshal(state)
	if err != nil {
		return err
	}
	path := StatePath(directory, state.Digest)
	temporary := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		os.Remove(temporary)
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		os.Remove(temporary)
		return err
	}
	return nil
}

// States reads the state files of a directory; what cannot be read or makes no sense is left out.
func States(directory string) []State {
	names, err := filepath.Glob(filepath.Join(directory, "????????????.json"))
	if err != nil {
		return nil
	}
	sort.Strings(names)
	var states []State
	for _, name := range names[:min(len(names), maxStates)] {
		state, err := readState(name)
		if err == nil && greeting.IsDigest(state.Digest) && Short(state.Digest)+".json" == filepath.Base(name) {
			states = append(states, state)
		}
	}
	return states
}

func readState(path string) (State, error) {
	var state State
	// Not blocked by a fifo, not led elsewhere by a link.
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return state, err
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return state, errors.New("it is no file")
	}
	content, err := io.ReadAll(io.LimitReader(file, maxStateBytes))
	if err != nil {
		return state, err
	}
	return state, json.Unmarshal(content, &state)
}

// Others are the agents of other binaries that live in these directories. An agent lives when its socket takes a connection.
func Others(directories []string, ownDigest string) []greeting.Other {
	others := []greeting.Other{}
	for _, directory := range directories {
		for _, state := range States(directory) {
			if Short(state.Digest) == Short(ownDigest) || !Answers(SocketPath(directory, state.Digest)) {
				continue
			}
			others = append(others, greeting.Other{
				Digest: state.Digest, Protocol: state.Protocol, Version: clip(state.Version), PID: state.PID,
			})
		}
	}
	return others
}

// Answers tells whether something listens at a socket.
func Answers(socket string) bool {
	connection, err := net.DialTimeout("unix", socket, dialTime)
	if err != nil {
		return false
	}
	connection.Close()
	return true
}

func clip(text string) string {
	text = strings.ToValidUTF8(text, "")
	return text[:min(len(text), 64)]
}
