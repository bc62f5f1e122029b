package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	// engineHost names the engine for these tests, testImage one that has a shell.
	engineHost = "AGENTCONTAINERS_TEST_DOCKER_HOST"
	testImage  = "agentcontainers-base:1"
)

func docker(t *testing.T, arguments ...string) *exec.Cmd {
	t.Helper()
	host := os.Getenv(engineHost)
	if host == "" {
		t.Skip("needs an engine: " + engineHost)
	}
	return exec.Command("docker", append([]string{"-H", host}, arguments...)...)
}

// container runs the resident as it is shipped, in a container of its own.
func container(t *testing.T, arguments ...string) (id string) {
	t.Helper()
	docker(t)
	binary := filepath.Join(t.TempDir(), "resident")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	run := append([]string{"run", "-d", "--label", "agentcontainers.test=resident"}, arguments...)
	text, err := docker(t, append(run, testImage, "sleep", "3600")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	id = strings.TrimSpace(string(text))
	t.Cleanup(func() { _ = docker(t, "rm", "-f", id).Run() })
	if text, err := docker(t, "cp", binary, id+":/resident").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return id
}

func within(t *testing.T, id string, user string) *daemon {
	t.Helper()
	connect := func() ([]byte, *stdio, *exec.Cmd) {
		command := docker(t, "exec", "-i", "-u", user, id, "/resident", "connect")
		line, connection := speak(t, command, map[string]any{
			"token": token, "start": true, "workspace": "/", "env": map[string]string{"PATH": "/bin:/usr/bin:/sbin"},
		})
		return line, connection, command
	}
	line, connection, command := connect()
	d := admitted(t, line, connection, command)
	// What an engine does to a connection is not what is asked here.
	d.redial = func() net.Conn {
		_, again, _ := connect()
		t.Logf("the connection of %s has broken off: there is another one", user)
		return again
	}
	return d
}

func TestInAContainerAsAnyUser(t *testing.T) {
	id := container(t)
	for _, user := range []string{"0", "1000", "54321", "54321:54322"} {
		d := within(t, id, user)
		got := d.exec(object{"command": "id -u; echo from here; exit 7"})
		if expected, _, _ := strings.Cut(user, ":"); got.out.String() != expected+"\nfrom here\n" || *got.last().Process.Exit.Code != 7 {
			t.Errorf("%s: %q, %+v", user, got.out.String(), got.last().Process.Exit)
		}
		terminal := d.exec(object{"command": "stty size; tty", "tty": object{"width": 100, "height": 30}})
		if !strings.HasPrefix(terminal.out.String(), "30 100\r\n/dev/pts/") {
			t.Errorf("%s: %q", user, terminal.out.String())
		}
		body, _ := json.Marshal(object{"argv": []string{"true"}, "user": "0"})
		status := map[bool]int{true: 201, false: 403}[user == "0"]
		if got := d.call(status, "POST", "/v1/processes", string(body)); got == nil || (status == 403) != (got["code"] == "other-user") {
			t.Errorf("%s: %v", user, got)
		}
		if again := within(t, id, user); !again.answer.Adopted || again.answer.PID != d.answer.PID {
			t.Errorf("%s: %+v", user, again.answer)
		}
	}
}

// Root in a container may not trace: the environment of another user's process is not its to read as it is.
func TestInAContainerTheTreesOfOtherUsersEndToo(t *testing.T) {
	d := within(t, container(t), "0")
	for _, user := range []string{"0", "1000", "54321:54322"} {
		const command = "(setsid sh -c 'sleep 1000 >/dev/null 2>&1 & sleep 1000' >/dev/null 2>&1 &) ; (env -i setsid env -i sleep 1000 &) ; sleep 1000"
		got := d.exec(object{"command": command, "user": user, "timeout_ms": 700, "grace_ms": 100})
		exit := got.last().Process.Exit
		if exit.Reason != "timeout" || len(exit.Survivors) != 0 {
			t.Errorf("%s: %+v", user, exit)
		}
		left := d.exec(object{"command": "ps -o pid,args | grep '[s]leep 1000'"})
		if left.out.Len() != 0 {
			t.Errorf("%s: left %s", user, left.out.String())
		}
	}
}

func TestInAContainerWithoutMemoryTheReasonIsTold(t *testing.T) {
	id := container(t, "--memory", "64m", "--memory-swap", "64m")
	d := within(t, id, "0")
	got := d.exec(object{"argv": []string{"sh", "-c", "x=0123456789; while :; do x=$x$x; done"}})
	if exit := got.last().Process.Exit; exit.Reason != "oom" || exit.Signal == nil || *exit.Signal != "SIGKILL" {
		t.Errorf("%+v", exit)
	}
	stats := d.call(200, "GET", "/v1/stats", nil)["memory"].(map[string]any)
	if stats["max"] != float64(64<<20) || stats["oom_kills"].(float64) < 1 || stats["current"].(float64) < 1<<20 {
		t.Errorf("%v", stats)
	}
	killed := d.exec(object{"command": "kill -9 $$"})
	if exit := killed.last().Process.Exit; exit.Reason != "signal" {
		t.Errorf("%+v", exit)
	}
}

func TestInAContainerThatCanWriteAlmostNowhere(t *testing.T) {
	for _, arguments := range [][]string{
		{"--tmpfs", "/dev/shm:mode=1777,noexec"}, {"--tmpfs", "/run:mode=755"}, {"--tmpfs", "/var/tmp:mode=1777"},
	} {
		id := container(t)
		binary := filepath.Join(t.TempDir(), "resident")
		if text, err := docker(t, "cp", id+":/resident", binary).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		run := append([]string{"run", "-d", "--read-only", "--label", "agentcontainers.test=resident", "-v", binary + ":/resident:ro"}, arguments...)
		text, err := docker(t, append(run, testImage, "sleep", "3600")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		closed := strings.TrimSpace(string(text))
		t.Cleanup(func() { _ = docker(t, "rm", "-f", closed).Run() })
		if got := within(t, closed, "0").exec(object{"command": "echo works"}); got.out.String() != "works\n" {
			t.Errorf("%v: %q", arguments, got.out.String())
		}
	}
}

func TestInAContainerAnIdleAgentIsSmall(t *testing.T) {
	d := within(t, container(t), "0")
	for range 20 {
		started := d.call(201, "POST", "/v1/processes", object{"argv": []string{"sh"}, "tty": object{"width": 80, "height": 24}})
		_, response := d.stream("POST", "/v1/processes/"+started["id"].(string)+"/attach")
		must(t, (&said{}).take(response.Body))
	}
	usage := func() (ticks int, rss float64) {
		fields := strings.Fields(d.exec(object{"command": fmt.Sprintf("cat /proc/%d/stat", d.answer.PID)}).out.String())
		var user, system int
		_, _ = fmt.Sscan(fields[13], &user)
		_, _ = fmt.Sscan(fields[14], &system)
		return user + system, d.call(200, "GET", "/v1/stats", nil)["resident"].(map[string]any)["rss"].(float64)
	}
	time.Sleep(time.Second)
	before, _ := usage()
	time.Sleep(3 * time.Second)
	after, rss := usage()
	t.Logf("%.1f MB with 20 terminals, %d ticks of CPU in 3 s", rss/1e6, after-before)
	if rss > 12e6 || after-before > 5 {
		t.Errorf("%.1f MB, %d ticks", rss/1e6, after-before)
	}
}
