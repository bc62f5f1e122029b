// Package greeting has the lines that open a connection: what `connect` is told, what it answers, and what the agent says.
package greeting

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"agentcontainers/resident/internal/proc"
	"agentcontainers/resident/internal/strict"
)

const (
	// MaxLine bounds the greeting.
	MaxLine = 1 << 20
	// MaxAnswer bounds what the agent says before HTTP/2 begins.
	MaxAnswer = 64 << 10
	// TokenLength is the number of hex digits of a token.
	TokenLength = 64
	// maxAloneMS is thirty days.
	maxAloneMS = 30 * 24 * 3600 * 1000
)

// The codes of an answer that is no.
const (
	CodeWrongToken  = "wrong-token"
	CodeNotRunning  = "not-running"
	CodeNoDirectory = "no-directory"
	CodeStartFailed = "start-failed"
	CodeBadGreeting = "bad-greeting"
	CodeNoAnswer    = "no-answer"
	CodeTooMany     = "too-many"
)

// Greeting is what `connect` is told. Env, Workspace and ExitWhenAloneMS count only for an agent that is started by it.
type Greeting struct {
	Token           string            `json:"token"`
	Start           bool              `json:"start"`
	Env             map[string]string `json:"env"`
	Workspace       string            `json:"workspace"`
	ExitWhenAloneMS int64             `json:"exit_when_alone_ms"`
}

// Answer is what `connect` prints. Adopted and Others are filled in by `connect`, the rest comes from the agent. Direct is
// between these two: the agent takes the standard input and output of `connect` when they are given to it.
type Answer struct {
	OK        bool    `json:"ok"`
	Protocol  int     `json:"protocol"`
	Version   string  `json:"version"`
	Digest    string  `json:"digest"`
	Instance  string  `json:"instance"`
	PID       int     `json:"pid"`
	StartedAt string  `json:"started_at"`
	Adopted   bool    `json:"adopted"`
	Others    []Other `json:"others"`
	Direct    bool    `json:"direct,omitempty"`
}

// Other is an agent of another binary.
type Other struct {
	Digest   string `json:"digest"`
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`
	PID      int    `json:"pid"`
}

// Refusal is the answer that is no, and an error.
type Refusal struct {
	OK      bool   `json:"ok"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (r *Refusal) Error() string { return r.Message }

// Refuse makes a refusal.
func Refuse(code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Parse reads the greeting line. What it refuses is a *Refusal with the code bad-greeting, which never quotes the line.
func Parse(line []byte) (*Greeting, error) {
	if len(line) > MaxLine {
		return nil, Refuse(CodeBadGreeting, "the greeting is longer than %d bytes", MaxLine)
	}
	var g Greeting
	switch err := strict.JSON(line, &g); {
	case errors.Is(err, strict.ErrMore):
		return nil, Refuse(CodeBadGreeting, "the greeting is more than one object")
	case err != nil:
		return nil, Refuse(CodeBadGreeting, "the greeting is not the expected object of JSON")
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	return &g, nil
}

func (g *Greeting) check() error {
	if !IsToken(g.Token) {
		return Refuse(CodeBadGreeting, "the token is not %d hex digits", TokenLength)
	}
	if g.ExitWhenAloneMS < 0 || g.ExitWhenAloneMS > maxAloneMS {
		return Refuse(CodeBadGreeting, "exit_when_alone_ms is not between 0 and %d", maxAloneMS)
	}
	if g.Workspace != "" && !strings.HasPrefix(g.Workspace, "/") || strings.ContainsRune(g.Workspace, 0) {
		return Refuse(CodeBadGreeting, "the workspace is not an absolute path")
	}
	for name, value := range g.Env {
		if !proc.IsVariable(name, value) {
			return Refuse(CodeBadGreeting, "the environment has a name or value that no process can have")
		}
	}
	return nil
}

// IsToken tells whether text is 64 hex digits.
func IsToken(text string) bool { return len(text) == TokenLength && isHex(text) }

// IsDigest tells whether text is the SHA-256 of a program in hex, or its first twelve digits.
func IsDigest(text string) bool { return (len(text) == 64 || len(text) == 12) && isHex(text) }

func isHex(text string) bool {
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// SameToken compares in a time that tells nothing about where two tokens differ.
func SameToken(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// ReadLine reads up to a newline, which is not part of the line, and nothing after it.
func ReadLine(from io.ByteReader, limit int) ([]byte, error) {
	var line []byte
	for {
		c, err := from.ReadByte()
		if err != nil {
			return nil, err
		}
		if c == '\n' {
			return line, nil
		}
		if len(line) == limit {
			return nil, Refuse(CodeBadGreeting, "a line is longer than %d bytes", limit)
		}
		line = append(line, c)
	}
}

// ParseAnswer reads what the agent said; a refusal comes back as the error.
func ParseAnswer(line []byte) (*Answer, error) {
	var a struct {
		Answer
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return nil, Refuse(CodeNoAnswer, "the agent did not answer with JSON")
	}
	if !a.OK {
		return nil, Refuse(a.Code, "%s", a.Message)
	}
	return &a.Answer, nil
}

// Line gives value as a line of JSON.
func Line(value any) []byte {
	line, err := json.Marshal(value)
	if err != nil {
		line = []byte(`{"ok":false,"code":"start-failed","message":"the answer has no JSON"}`)
	}
	return append(line, '\n')
}
