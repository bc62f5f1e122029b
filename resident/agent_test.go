package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"agentcontainers/resident/internal/greeting"
	"agentcontainers/resident/internal/product"
	"agentcontainers/resident/internal/rundir"
)

const term = syscall.SIGTERM

func refused(t *testing.T, root string, hello any, arguments ...string) greeting.Refusal {
	t.Helper()
	line, connection, command := converse(t, root, hello, arguments...)
	var refusal greeting.Refusal
	must(t, json.Unmarshal(line, &refusal))
	if refusal.OK {
		t.Fatalf("%s", line)
	}
	rest, _ := io.ReadAll(connection)
	if err := command.Wait(); err == nil || command.ProcessState.ExitCode() != 1 || len(rest) != 0 {
		t.Errorf("%v, and after the refusal %q", err, rest)
	}
	return refusal
}

func TestAnAgentIsStartedOnceAndFoundAgain(t *testing.T) {
	d, root := fresh(t)
	if a := d.answer; a.Adopted || a.Protocol != 1 || len(a.Digest) != 64 || len(a.Instance) != 16 || a.Others == nil {
		t.Errorf("%+v", a)
	}
	second := connected(t, root, hello())
	if !second.answer.Adopted || second.answer.PID != d.answer.PID || second.answer.Instance != d.answer.Instance {
		t.Errorf("%+v", second.answer)
	}
	for _, one := range []*daemon{d, second} {
		health := one.call(200, "GET", "/v1/health", nil)
		if health["instance"] != d.answer.Instance || health["uid"] != float64(os.Getuid()) || health["draining"] != false {
			t.Errorf("%v", health)
		}
	}
	content, err := os.ReadFile(rundir.StatePath(root+"/first", d.answer.Digest))
	must(t, err)
	var state rundir.State
	must(t, json.Unmarshal(content, &state))
	if state.PID != d.answer.PID || state.StartedAt != d.answer.StartedAt || state.Digest != d.answer.Digest || strings.Contains(string(content), token) {
		t.Errorf("%s", content)
	}
	info, err := os.Stat(rundir.SocketPath(root+"/first", d.answer.Digest))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%v", info.Mode())
	}
}

func TestTheTokenIsInNoArgumentAndNoEnvironment(t *testing.T) {
	d, _ := fresh(t)
	for _, file := range []string{"cmdline", "environ"} {
		for _, pid := range []int{d.answer.PID, d.command.Process.Pid} {
			content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			must(t, err)
			if bytes.Contains(content, []byte(token)) {
				t.Errorf("%s of %d has it", file, pid)
			}
		}
	}
}

func TestOfItsEnvironmentTheAgentKeepsTheMarkAlone(t *testing.T) {
	d, _ := fresh(t)
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", d.answer.PID))
	must(t, err)
	told, _, _ := bytes.Cut(content, []byte(raceOptions))
	if expected := product.RunID + "=" + runOfThisTest + "\x00"; string(told) != expected {
		t.Errorf("%q", content)
	}
	if got := d.exec(object{"argv": []string{"env"}}); strings.Contains(got.out.String(), product.RunID) {
		t.Errorf("a command has it: %q", got.out.String())
	}
}

func TestManyAtOnceStartOneAgent(t *testing.T) {
	root := newRoot(t)
	var wait sync.WaitGroup
	daemons := make([]*daemon, 8)
	for i := range daemons {
		wait.Add(1)
		go func() {
			defer wait.Done()
			daemons[i] = connected(t, root, hello())
		}()
	}
	wait.Wait()
	t.Cleanup(func() { endAgent(daemons[0].answer.PID) })
	started := 0
	for _, d := range daemons {
		if d.answer.PID != daemons[0].answer.PID {
			t.Errorf("%d and %d", d.answer.PID, daemons[0].answer.PID)
		}
		if !d.answer.Adopted {
			started++
		}
	}
	if started > 1 {
		t.Errorf("%d say that they have started it", started)
	}
}

func TestConnectRefusesWithAReason(t *testing.T) {
	d, root := fresh(t)
	wrong := hello()
	wrong["token"] = strings.Repeat("f", 64)
	if got := refused(t, root, wrong); got.Code != greeting.CodeWrongToken || strings.Contains(got.Message, token) {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{`{}`, `nonsense`, `{"token":"` + token + `","more":1}`} {
		if got := refused(t, root, bad); got.Code != greeting.CodeBadGreeting {
			t.Errorf("%s: %+v", bad, got)
		}
	}
	without := hello()
	without["start"] = false
	if got := refused(t, newRoot(t), without); got.Code != greeting.CodeNotRunning {
		t.Errorf("%+v", got)
	}
	if got := refused(t, t.TempDir()+"/missing/place", hello()); got.Code != greeting.CodeNoDirectory {
		t.Errorf("%+v", got)
	}
	if got := refused(t, root, hello(), "--digest", strings.Repeat("a", 64)); got.Code != greeting.CodeNotRunning {
		t.Errorf("%+v", got)
	}
	reached := connected(t, root, hello(), "--digest", d.answer.Digest[:12])
	if reached.answer.PID != d.answer.PID {
		t.Errorf("%+v", reached.answer)
	}
}

func TestAFolderThatIsNotOursIsPassedOver(t *testing.T) {
	root := newRoot(t)
	must(t, os.Symlink("/tmp", root+"/first"))
	d := connected(t, root, hello())
	defer endAgent(d.answer.PID)
	if _, err := os.Stat(rundir.StatePath(root+"/second", d.answer.Digest)); err != nil {
		t.Error(err)
	}
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	d, root := fresh(t)
	agent, err := os.FindProcess(d.answer.PID)
	must(t, err)
	must(t, agent.Kill())
	eventually(t, "the connection breaks", func() bool { _, err := d.try("GET", "/v1/health", nil); return err != nil })
	socket := rundir.SocketPath(root+"/first", d.answer.Digest)
	if _, err := os.Lstat(socket); err != nil {
		t.Fatal("there is no stale socket to test with")
	}
	without := hello()
	without["start"] = false
	if got := refused(t, root, without); got.Code != greeting.CodeNotRunning {
		t.Errorf("%+v", got)
	}
	again := connected(t, root, hello())
	t.Cleanup(func() { endAgent(again.answer.PID) })
	if again.answer.Adopted || again.answer.PID == d.answer.PID || again.answer.Instance == d.answer.Instance {
		t.Errorf("%+v", again.answer)
	}
}

func TestOtherAgentsAreTold(t *testing.T) {
	root := newRoot(t)
	must(t, os.Mkdir(root+"/second", 0o700))
	foreign := strings.Repeat("e", 64)
	listener, err := net.Listen("unix", rundir.SocketPath(root+"/second", foreign))
	must(t, err)
	defer listener.Close()
	must(t, rundir.WriteState(root+"/second", rundir.State{PID: 4711, Protocol: 9, Version: "9.9", Digest: foreign}))
	d := connected(t, root, hello())
	defer endAgent(d.answer.PID)
	if others := d.answer.Others; len(others) != 1 || others[0].PID != 4711 || others[0].Protocol != 9 || others[0].Digest != foreign {
		t.Errorf("%+v", others)
	}
}

func TestNobodyIsLetInWithoutTheToken(t *testing.T) {
	d, root := fresh(t)
	socket := rundir.SocketPath(root+"/first", d.answer.Digest)
	say := func(text string) string {
		connection, err := net.Dial("unix", socket)
		must(t, err)
		defer connection.Close()
		_ = connection.SetDeadline(time.Now().Add(patience))
		_, err = connection.Write([]byte(text))
		must(t, err)
		got, _ := io.ReadAll(connection)
		return string(got)
	}
	if got := say(strings.Repeat("0", 64) + "\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); !strings.Contains(got, greeting.CodeWrongToken) || strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
	if got := say("\n"); !strings.Contains(got, greeting.CodeWrongToken) {
		t.Errorf("%q", got)
	}
	if got := say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("x", 1000)); strings.Contains(got, "HTTP") {
		t.Errorf("%q", got)
	}
	// Those who never say anything cannot keep others out.
	for range 100 {
		silent, err := net.Dial("unix", socket)
		must(t, err)
		defer silent.Close()
	}
	connected(t, root, hello()).call(200, "GET", "/v1/health", nil)
}

func TestThereIsABoundOnConnections(t *testing.T) {
	_, root := fresh(t)
	var last *daemon
	for range 15 {
		last = connected(t, root, hello())
	}
	if got := refused(t, root, hello()); got.Code != greeting.CodeTooMany {
		t.Errorf("%+v", got)
	}
	must(t, last.command.Process.Kill())
	eventually(t, "there is room again", func() bool {
		line, connection, _ := converse(t, root, hello())
		connection.Close()
		return bytes.Contains(line, []byte(`"ok":true`))
	})
}
