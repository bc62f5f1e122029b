package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"agentcontainers/resident/internal/proc"
	"agentcontainers/resident/internal/product"
)

const (
	// become is the argument with which this program becomes another user, and then the program that follows.
	become   = "become-another-user"
	agentUID = 54321
	otherUID = 54322
)

func becomeAnother(arguments []string) {
	if err := syscall.Setuid(otherUID); err != nil {
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, syscall.Exec(arguments[0], arguments, []string{}))
	os.Exit(1)
}

// asUser is an agent that does not run as root.
func asUser(t *testing.T, root string) *daemon {
	t.Helper()
	must(t, os.Chown(root, agentUID, agentUID))
	command := exec.Command(program, "connect")
	command.Env = []string{testRoot + "=" + root, "PATH=" + os.Getenv("PATH"), product.RunID + "=" + runOfThisTest}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: agentUID, Gid: agentUID}}
	line, connection := speak(t, command, hello())
	d := admitted(t, line, connection, command)
	t.Cleanup(func() { endAgent(d.answer.PID) })
	return d
}

// As with sudo: the agent may not end it, and must say so.
func TestWhatRunsAsAnotherUserIsNamedWhenItCannotBeEnded(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	root := newRoot(t)
	must(t, os.Chmod(root, 0o755))
	d := asUser(t, root)
	from, err := os.Open("/proc/self/exe")
	must(t, err)
	defer from.Close()
	to, err := os.OpenFile(root+"/helper", os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	_, err = io.Copy(to, from)
	must(t, err)
	must(t, to.Close())
	must(t, os.Chmod(root+"/helper", 0o755|os.ModeSetuid))
	sleep, err := exec.LookPath("sleep")
	must(t, err)
	length := fmt.Sprintf("600.%d", time.Now().UnixNano())
	line := fmt.Sprintf("(env -i setsid %s/helper %s %s %s >/dev/null 2>&1 &) ; sleep 600", root, become, sleep, length)
	started := d.call(201, "POST", "/v1/processes", object{"command": line})
	pid := 0
	eventually(t, "it is a daemon of another user", func() bool {
		list, err := proc.List()
		must(t, err)
		for _, s := range list {
			content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.PID))
			if s.Parent == d.answer.PID && string(content) == sleep+"\x00"+length+"\x00" {
				pid = s.PID
			}
		}
		return pid != 0
	})
	defer syscall.Kill(pid, syscall.SIGKILL)
	var owner syscall.Stat_t
	must(t, syscall.Stat("/proc/"+strconv.Itoa(pid), &owner))
	if owner.Uid != otherUID {
		t.Skip("a program cannot become another user here")
	}
	ended := d.call(200, "POST", "/v1/processes/"+started["id"].(string)+"/kill", object{"grace_ms": 50})
	exit := ended["exit"].(map[string]any)
	if survivors := exit["survivors"].([]any); len(survivors) != 1 || survivors[0] != float64(pid) || exit["reason"] != "killed" {
		t.Errorf("%v, expected %d", exit, pid)
	}
}
