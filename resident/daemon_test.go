package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"agentcontainers/resident/internal/greeting"
	"agentcontainers/resident/internal/product"
)

// patience is how long a test waits for what has to happen, also on a busy machine.
const patience = 60 * time.Second

const token = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// daemon is one connection through a `resident connect`.
type daemon struct {
	// redial makes another connection when one breaks off, as whoever uses an agent does; nil where none is to break off.
	redial  func() net.Conn
	t       testing.TB
	answer  greeting.Answer
	client  *http.Client
	command *exec.Cmd
}

// stdio is a connection over the standard input and output of a program.
type stdio struct {
	io.Reader
	io.WriteCloser
	cancel func()
	once   sync.Once
}

func (s *stdio) Close() error {
	s.once.Do(s.cancel)
	return nil
}
func (s *stdio) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (s *stdio) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (s *stdio) SetDeadline(time.Time) error      { return nil }
func (s *stdio) SetReadDeadline(time.Time) error  { return nil }
func (s *stdio) SetWriteDeadline(time.Time) error { return nil }

// program is the resident: this test program, unless a test has another one.
var program = "/proc/self/exe"

// converse starts `resident connect` and gives its first line.
func converse(t testing.TB, root string, hello any, arguments ...string) (line []byte, connection *stdio, command *exec.Cmd) {
	t.Helper()
	command = exec.Command(program, append([]string{"connect"}, arguments...)...)
	command.Env = []string{testRoot + "=" + root, "PATH=" + os.Getenv("PATH"), product.RunID + "=" + runOfThisTest, raceOptions + "=atexit_sleep_ms=0"}
	line, connection = speak(t, command, hello)
	return line, connection, command
}

// speak starts a program that is `resident connect` in the end.
func speak(t testing.TB, command *exec.Cmd, hello any) (line []byte, connection *stdio) {
	t.Helper()
	stdin, err := command.StdinPipe()
	must(t, err)
	stdout, err := command.StdoutPipe()
	must(t, err)
	command.Stderr = os.Stderr
	must(t, command.Start())
	content, err := json.Marshal(hello)
	must(t, err)
	if text, is := hello.(string); is {
		content = []byte(text)
	}
	_, err = stdin.Write(append(content, '\n'))
	must(t, err)
	reader := bufio.NewReaderSize(stdout, 64<<10)
	line, err = reader.ReadBytes('\n')
	must(t, err)
	connection = &stdio{Reader: reader, WriteCloser: stdin, cancel: func() {
		stdin.Close()
		_ = command.Process.Kill()
		_ = command.Wait()
	}}
	t.Cleanup(func() { connection.Close() })
	return line, connection
}

func hello() map[string]any {
	return map[string]any{
		"token": token, "start": true, "workspace": "/tmp",
		"env": map[string]string{"PATH": os.Getenv("PATH"), "HOME": "/"},
	}
}

// connected is a daemon that was let in.
func connected(t testing.TB, root string, hello any, arguments ...string) *daemon {
	t.Helper()
	line, connection, command := converse(t, root, hello, arguments...)
	return admitted(t, line, connection, command)
}

// admitted makes a client of a connection that was let in.
func admitted(t testing.TB, line []byte, connection *stdio, command *exec.Cmd) *daemon {
	t.Helper()
	d := &daemon{t: t, command: command}
	must(t, json.Unmarshal(line, &d.answer))
	if !d.answer.OK {
		t.Fatalf("not let in: %s", line)
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	dialled := false
	d.client = &http.Client{Timeout: 2 * patience, Transport: &http.Transport{
		Protocols: protocols, HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 1 << 20},
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			if dialled && d.redial != nil {
				return d.redial(), nil
			}
			if dialled {
				return nil, fmt.Errorf("the connection is gone")
			}
			dialled = true
			return connection, nil
		},
	}}
	// From now on there is a connection, which requests at once share.
	d.request("GET", "/v1/health", nil).Body.Close()
	return d
}

// newRoot makes a folder whose name is short enough for sockets.
func newRoot(t testing.TB) string {
	t.Helper()
	root, err := os.MkdirTemp("", "r")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(root) })
	return root
}

// fresh starts an agent of its own, which is gone with the test.
func fresh(t testing.TB) (*daemon, string) {
	t.Helper()
	root := newRoot(t)
	d := connected(t, root, hello())
	t.Cleanup(func() { endAgent(d.answer.PID) })
	return d, root
}

func endAgent(pid int) {
	agent, err := os.FindProcess(pid)
	if err != nil || pid < 2 {
		return
	}
	_ = agent.Signal(os.Interrupt)
	_ = agent.Signal(term)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil || strings.Contains(string(content), ") Z ") {
			return
		}
	}
}

// request sends one and gives its answer.
func (d *daemon) request(method, path string, content any) *http.Response {
	d.t.Helper()
	response, err := d.try(method, path, content)
	must(d.t, err)
	return response
}

func (d *daemon) try(method, path string, content any) (*http.Response, error) {
	var sent io.Reader
	switch content := content.(type) {
	case nil:
	case io.Reader:
		sent = content
	case string:
		sent = strings.NewReader(content)
	default:
		encoded, err := json.Marshal(content)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(encoded)
	}
	request, err := http.NewRequest(method, "http://resident"+path, sent)
	if err != nil {
		return nil, err
	}
	return d.client.Do(request)
}

// call expects a status, and gives the JSON of the answer.
func (d *daemon) call(status int, method, path string, content any) map[string]any {
	d.t.Helper()
	response := d.request(method, path, content)
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	must(d.t, err)
	if response.StatusCode != status {
		d.t.Fatalf("%s %s: %d %s", method, path, response.StatusCode, got)
	}
	value := map[string]any{}
	if len(got) > 0 {
		must(d.t, json.Unmarshal(got, &value))
	}
	return value
}
