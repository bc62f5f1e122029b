// Package connect is `resident connect`: it finds or starts the agent, and carries bytes to and from it.
package connect

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"agentcontainers/resident/internal/greeting"
	"agentcontainers/resident/internal/handover"
	"agentcontainers/resident/internal/process"
	"agentcontainers/resident/internal/rundir"
)

const (
	// findTime bounds how long an agent is looked for or started.
	findTime = 15 * time.Second
	// retryTime is between two attempts while another `connect` starts the agent, or an agent is about to end.
	retryTime = 20 * time.Millisecond
	helloTime = 10 * time.Second
	// lineBytes are read at once as long as lines are.
	lineBytes = 16 << 10
)

// Run answers the greeting on standard output. digest is that of the binary whose agent is wanted, empty for our own;
// candidates are the places for the run directory.
func Run(digest string, candidates []string) int {
	process.CleanInheritance()
	input := bufio.NewReaderSize(os.Stdin, lineBytes)
	found, err := run(input, digest, candidates)
	if err != nil {
		var refusal *greeting.Refusal
		if !errors.As(err, &refusal) {
			refusal = greeting.Refuse(greeting.CodeStartFailed, "%s", err.Error())
		}
		_, _ = os.Stdout.Write(greeting.Line(refusal))
		return 1
	}
	if _, err := os.Stdout.Write(greeting.Line(found.answer)); err != nil {
		return 1
	}
	if !found.direct {
		relay(input, found)
	} else if !wait(input, found) {
		return 1
	}
	return 0
}

// found is an agent that has let us in.
type found struct {
	connection *net.UnixConn
	// from reads what the agent says after its answer.
	from   *bufio.Reader
	answer *greeting.Answer
	// direct says that the agent takes our standard input and output.
	direct bool
}

func run(input *bufio.Reader, digest string, candidates []string) (*found, error) {
	line, err := greeting.ReadLine(input, greeting.MaxLine)
	if err != nil {
		return nil, greeting.Refuse(greeting.CodeBadGreeting, "the greeting did not come: %s", err.Error())
	}
	wanted, err := greeting.Parse(line)
	if err != nil {
		return nil, err
	}
	own, err := rundir.OwnDigest()
	if err != nil {
		return nil, err
	}
	if digest == "" {
		digest = own
	} else {
		// Only its own agent can be started by a binary.
		wanted.Start = false
	}
	f, err := find(wanted, candidates, digest)
	if err != nil {
		return nil, err
	}
	f.answer.Others = rundir.Others(rundir.Existing(candidates), f.answer.Digest)
	return f, nil
}

// find dials the agent, and starts it when there is none. Several may do so at once: the lock decides whose agent it is.
func find(wanted *greeting.Greeting, candidates []string, digest string) (*found, error) {
	started := 0
	for deadline := time.Now().Add(findTime); ; {
		f, err := dial(rundir.Existing(candidates), digest, wanted.Token)
		if err == nil {
			f.answer.Adopted = f.answer.PID != started
			return f, nil
		}
		var refusal *greeting.Refusal
		if errors.As(err, &refusal) {
			return nil, err
		}
		absent := errors.Is(err, errAbsent)
		if absent && !wanted.Start {
			return nil, greeting.Refuse(greeting.CodeNotRunning, "no agent of this program runs")
		}
		if absent {
			pid, err := startAgent(wanted, candidates, digest)
			if err != nil && !errors.Is(err, rundir.ErrLocked) {
				return nil, err
			}
			if err == nil {
				first := started == 0
				started = pid
				if first {
					// It listens.
					continue
				}
				// Those that end as soon as they listen are not started one after the other for ever.
			}
		}
		if time.Now().After(deadline) {
			return nil, greeting.Refuse(greeting.CodeNoAnswer, "the agent does not answer: %s", err.Error())
		}
		time.Sleep(retryTime)
	}
}

var (
	errAbsent = errors.New("no agent listens")
	errLeft   = errors.New("the agent closed the connection before its answer")
)

// dial gives errAbsent when nothing listens in any of the directories, and a refusal when the agent refused.
func dial(directories []string, digest, token string) (*found, error) {
	for _, directory := range directories {
		address := &net.UnixAddr{Name: rundir.SocketPath(directory, digest), Net: "unix"}
		connection, err := net.DialUnix("unix", nil, address)
		switch {
		case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTSOCK):
			continue
		case err != nil:
			return nil, err
		}
		f, err := introduce(connection, token)
		if err != nil {
			connection.Close()
			return nil, err
		}
		return f, nil
	}
	return nil, errAbsent
}

func introduce(connection *net.UnixConn, token string) (*found, error) {
	_ = connection.SetDeadline(time.Now().Add(helloTime))
	if _, err := connection.Write([]byte(token + "\n")); err != nil {
		return nil, errLeft
	}
	from := bufio.NewReaderSize(connection, lineBytes)
	line, err := greeting.ReadLine(from, greeting.MaxAnswer)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, greeting.Refuse(greeting.CodeNoAnswer, "the agent does not answer")
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return nil, errLeft
	}
	if err != nil {
		return nil, err
	}
	answer, err := greeting.ParseAnswer(line)
	if err != nil {
		return nil, err
	}
	_ = connection.SetDeadline(time.Time{})
	direct := answer.Direct && handover.Possible(syscall.Stdin, syscall.Stdout)
	answer.Direct = false
	return &found{connection: connection, from: from, answer: answer, direct: direct}, nil
}
