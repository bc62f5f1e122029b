// Package agent is the process that owns the commands of a container.
package agent

import (
	"encoding/json"
	"errors"
	"io"
	"os"

	"agentcontainers/resident/internal/greeting"
	"agentcontainers/resident/internal/rundir"
)

const (
	// maxOrder is above the greeting that is in the order.
	maxOrder = greeting.MaxLine + 64<<10
	// reportFD is where the agent tells the one that starts it how that went.
	reportFD = 3
)

// Order is what an agent reads from its standard input.
type Order struct {
	Greeting  greeting.Greeting `json:"greeting"`
	Directory string            `json:"directory"`
	// Neighbours are the directories where other agents may be.
	Neighbours []string `json:"neighbours"`
	Digest     string   `json:"digest"`
}

// Report is what an agent says once, when it listens or knows that it will not.
type Report struct {
	OK bool `json:"ok"`
	// Locked says that another agent of this binary lives.
	Locked  bool   `json:"locked"`
	Message string `json:"message"`
}

func readOrder(from io.Reader) (*Order, error) {
	content, err := io.ReadAll(io.LimitReader(from, maxOrder))
	if err != nil {
		return nil, err
	}
	var order Order
	if err := json.Unmarshal(content, &order); err != nil {
		return nil, errors.New("the order is not the expected JSON; `resident agent` is started by `resident connect`")
	}
	// The greeting was checked by the one who started us, but the rest relies on it.
	if !greeting.IsToken(order.Greeting.Token) || !greeting.IsDigest(order.Digest) || len(order.Digest) != 64 {
		return nil, errors.New("the order has no token or no digest")
	}
	return &order, rundir.Check(order.Directory)
}

func report(to *os.File, r Report) {
	if to == nil {
		return
	}
	content, err := json.Marshal(r)
	if err == nil {
		_, _ = to.Write(append(content, '\n'))
	}
	to.Close()
}
