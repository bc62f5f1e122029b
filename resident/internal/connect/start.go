package connect

import (
	"bufio"
	"encoding/json"
	"os"
	"syscall"
	"time"

	"agentcontainers/resident/internal/agent"
	"agentcontainers/resident/internal/greeting"
	"agentcontainers/resident/internal/product"
	"agentcontainers/resident/internal/rundir"
)

const (
	reportTime = 10 * time.Second
	maxReport  = 4096
)

// startAgent starts the agent in a session of its own, with nothing of ours but the order and a way to report. It returns
// when the agent listens, with ErrLocked when another one does or is about to.
func startAgent(wanted *greeting.Greeting, candidates []string, digest string) (pid int, err error) {
	directory, err := rundir.Prepare(candidates)
	if err != nil {
		return 0, greeting.Refuse(greeting.CodeNoDirectory, "%s", err.Error())
	}
	order, err := json.Marshal(agent.Order{
		Greeting: *wanted, Directory: directory, Neighbours: rundir.Existing(candidates), Digest: digest,
	})
	if err != nil {
		return 0, err
	}
	orderFrom, orderTo, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer orderTo.Close()
	reportFrom, reportTo, err := os.Pipe()
	if err != nil {
		orderFrom.Close()
		return 0, err
	}
	defer reportFrom.Close()
	pid, err = fork(orderFrom, reportTo)
	orderFrom.Close()
	reportTo.Close()
	if err != nil {
		return 0, greeting.Refuse(greeting.CodeStartFailed, "the agent cannot be started: %s", err.Error())
	}
	_ = orderTo.SetWriteDeadline(time.Now().Add(reportTime))
	_, _ = orderTo.Write(order)
	orderTo.Close()
	_ = reportFrom.SetReadDeadline(time.Now().Add(reportTime))
	return pid, readReport(reportFrom)
}

func fork(order, report *os.File) (int, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	return syscall.ForkExec(rundir.Self, []string{"resident", "agent"}, &syscall.ProcAttr{
		Dir: "/", Env: mark(), Sys: &syscall.SysProcAttr{Setsid: true},
		Files: []uintptr{order.Fd(), null.Fd(), null.Fd(), report.Fd()},
	})
}

// mark is all that the agent keeps of our environment: by it a daemon finds one that does not answer any more, to kill it.
func mark() []string {
	if value, given := os.LookupEnv(product.RunID); given {
		return []string{product.RunID + "=" + value}
	}
	return []string{}
}

func readReport(from *os.File) error {
	line, err := greeting.ReadLine(bufio.NewReader(from), maxReport)
	if err != nil {
		return greeting.Refuse(greeting.CodeStartFailed, "the agent ended or hung before it listened")
	}
	var report agent.Report
	if err := json.Unmarshal(line, &report); err != nil {
		return greeting.Refuse(greeting.CodeStartFailed, "the agent reported something unknown")
	}
	switch {
	case report.OK:
		return nil
	case report.Locked:
		return rundir.ErrLocked
	}
	return greeting.Refuse(greeting.CodeStartFailed, "%s", report.Message)
}
