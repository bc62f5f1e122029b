// Package process starts commands and terminals, keeps their output, and ends whole trees of processes.
package process

import (
	"errors"
	"strings"
	"time"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/output"
	"agentcontainers/resident/internal/proc"
	"agentcontainers/resident/internal/strict"
)

// The kinds of processes.
const (
	KindExec       = "exec"
	KindTerminal   = "terminal"
	KindBackground = "background"
)

// The grace of a tree between being asked to end and being killed: at most, and when nothing is said.
const (
	MaxGraceMS   = 60_000
	DefaultGrace = 2 * time.Second
)

const (
	maxKey       = 256
	maxSide      = 10_000
	maxTimeoutMS = 30 * 24 * 3600 * 1000
	minRing      = 64 << 10
	maxRing      = 64 << 20
	defaultRing  = 1 << 20
)

// Size is that of a terminal, in characters.
type Size struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

// Check tells what is wrong with a size.
func (s Size) Check() error {
	if s.Width < 1 || s.Width > maxSide || s.Height < 1 || s.Height > maxSide {
		return fault.Invalid("width and height are not between 1 and %d", maxSide)
	}
	return nil
}

// Start is a request to start a process.
type Start struct {
	Argv       []string           `json:"argv"`
	Command    *string            `json:"command"`
	Cwd        string             `json:"cwd"`
	Env        map[string]*string `json:"env"`
	User       *string            `json:"user"`
	TTY        *Size              `json:"tty"`
	Merged     bool               `json:"merged"`
	Stdin      bool               `json:"stdin"`
	TimeoutMS  *int64             `json:"timeout_ms"`
	GraceMS    *int64             `json:"grace_ms"`
	Kind       string             `json:"kind"`
	Key        string             `json:"key"`
	RingBytes  *int64             `json:"ring_bytes"`
	Overflow   string             `json:"overflow"`
	Background bool               `json:"background"`
}

// ParseStart reads and checks a start. After it, Kind is never empty.
func ParseStart(content []byte) (*Start, error) {
	var s Start
	if err := DecodeJSON(content, &s); err != nil {
		return nil, err
	}
	for _, check := range []func() error{s.checkCommand, s.checkPlace, s.checkKind, s.checkBounds} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return &s, nil
}

// DecodeJSON reads one object with no unknown fields.
func DecodeJSON(content []byte, into any) error {
	switch err := strict.JSON(content, into); {
	case errors.Is(err, strict.ErrMore):
		return fault.Invalid("the request is more than one object of JSON")
	case err != nil:
		return fault.Invalid("the request is not the expected JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

func (s *Start) checkCommand() error {
	if (s.Command != nil) == (s.Argv != nil) {
		return fault.Invalid("exactly one of argv and command is needed")
	}
	if s.Command != nil && strings.TrimSpace(*s.Command) == "" {
		return fault.Invalid("the command is empty")
	}
	if s.Command == nil && (len(s.Argv) == 0 || s.Argv[0] == "") {
		return fault.Invalid("argv is empty")
	}
	if s.Command != nil && hasZero(*s.Command) {
		return fault.Invalid("the command has a zero byte")
	}
	for _, argument := range s.Argv {
		if hasZero(argument) {
			return fault.Invalid("an argument has a zero byte")
		}
	}
	return nil
}

func (s *Start) checkPlace() error {
	if hasZero(s.Cwd) {
		return fault.Invalid("cwd has a zero byte")
	}
	for name, value := range s.Env {
		if !proc.IsVariable(name, "") || value != nil && !proc.IsVariable(name, *value) {
			return fault.Invalid("env has a name or value that no process can have")
		}
	}
	if s.TTY != nil {
		return s.TTY.Check()
	}
	return nil
}

func (s *Start) checkKind() error {
	if s.Kind == "" {
		switch {
		case s.Background:
			s.Kind = KindBackground
		case s.TTY != nil:
			s.Kind = KindTerminal
		default:
			s.Kind = KindExec
		}
	}
	if s.Kind != KindExec && s.Kind != KindTerminal && s.Kind != KindBackground {
		return fault.Invalid("kind is none of exec, terminal and background")
	}
	if s.Background && s.Kind != KindBackground {
		return fault.Invalid("background contradicts kind")
	}
	if s.Overflow != "" && s.Overflow != "drop" && s.Overflow != "block" && s.Overflow != "spill" {
		return fault.Invalid("overflow is none of drop, block and spill")
	}
	return nil
}

func (s *Start) checkBounds() error {
	for _, bound := range []struct {
		name      string
		value     *int64
		low, high int64
	}{{"timeout_ms", s.TimeoutMS, 1, maxTimeoutMS}, {"grace_ms", s.GraceMS, 0, MaxGraceMS}, {"ring_bytes", s.RingBytes, minRing, maxRing}} {
		if bound.value != nil && (*bound.value < bound.low || *bound.value > bound.high) {
			return fault.Invalid("%s is not between %d and %d", bound.name, bound.low, bound.high)
		}
	}
	if len(s.Key) > maxKey {
		return fault.Invalid("key is longer than %d bytes", maxKey)
	}
	return nil
}

func (s *Start) grace() time.Duration {
	if s.GraceMS == nil {
		return DefaultGrace
	}
	return time.Duration(*s.GraceMS) * time.Millisecond
}

func (s *Start) ring() int64 {
	if s.RingBytes == nil {
		return defaultRing
	}
	return *s.RingBytes
}

func (s *Start) overflow() output.Overflow {
	switch s.Overflow {
	case "block":
		return output.Block
	case "spill":
		return output.Spill
	}
	return output.Drop
}

func hasZero(text string) bool { return strings.IndexByte(text, 0) >= 0 }
