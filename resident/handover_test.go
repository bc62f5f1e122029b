package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"agentcontainers/resident/internal/product"
)

func TestTheAgentReadsAndWritesWhatConnectWasGiven(t *testing.T) {
	d, _ := fresh(t)
	d.call(200, "GET", "/v1/health", nil)
	if _, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", d.command.Process.Pid)); err != nil {
		t.Errorf("connect has ended: %v", err)
	}
	for fd := range 2 {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", d.command.Process.Pid, fd)); err == nil {
			t.Errorf("connect still has %d: %s", fd, to)
		}
	}
}

// An engine may give something else than pipes: then `connect` carries the bytes.
func TestWithoutPipesConnectCarriesTheBytes(t *testing.T) {
	root := newRoot(t)
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(t, err)
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	socket, err := net.FileConn(ours)
	must(t, err)
	ours.Close()
	command := exec.Command(program, "connect")
	command.Env = []string{testRoot + "=" + root, "PATH=" + os.Getenv("PATH"), product.RunID + "=run-of-this-test"}
	command.Stdin, command.Stdout, command.Stderr = theirs, theirs, os.Stderr
	must(t, command.Start())
	theirs.Close()
	content, err := json.Marshal(hello())
	must(t, err)
	_, err = socket.Write(append(content, '\n'))
	must(t, err)
	reader := bufio.NewReader(socket)
	line, err := reader.ReadBytes('\n')
	must(t, err)
	if strings.Contains(string(line), "direct") {
		t.Errorf("%s", line)
	}
	connection := &stdio{Reader: reader, WriteCloser: socket, cancel: func() {
		socket.Close()
		_ = command.Wait()
	}}
	d := admitted(t, line, connection, command)
	defer endAgent(d.answer.PID)
	defer connection.Close()
	if got := d.exec(object{"argv": []string{"head", "-c", "3000000", "/dev/zero"}, "overflow": "block"}); got.out.Len() != 3_000_000 {
		t.Errorf("%d bytes", got.out.Len())
	}
}
