package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"agentcontainers/resident/internal/frames"
	"agentcontainers/resident/internal/greeting"
	"agentcontainers/resident/internal/rundir"
)

func TestAnAgentOutlivesItsDaemonAndKeepsWhatRuns(t *testing.T) {
	t.Parallel()
	first, root := fresh(t)
	started := first.call(201, "POST", "/v1/processes", object{"command": "i=0; while [ $i -lt 120 ]; do i=$((i+1)); echo line $i; sleep 0.01; done; exit 5"})
	id := started["id"].(string)
	must(t, first.command.Process.Kill())
	second := connected(t, root, hello())
	response := second.request("GET", "/v1/processes/"+id+"/output?follow=1", nil)
	got := &said{}
	must(t, got.all(response.Body))
	lines := strings.Split(strings.TrimSpace(got.out.String()), "\n")
	for i, line := range lines {
		if line != fmt.Sprintf("line %d", i+1) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
	if exit := got.last().Process.Exit; len(lines) != 120 || exit == nil || *exit.Code != 5 {
		t.Errorf("%d lines, %+v", len(lines), got.last())
	}
}

func TestAnAgentThatIsAloneEnds(t *testing.T) {
	t.Parallel()
	root := newRoot(t)
	short := hello()
	short["exit_when_alone_ms"] = 300
	d := connected(t, root, short)
	busy := d.call(201, "POST", "/v1/processes", object{"command": "sleep 1.5"})
	if busy["running"] != true {
		t.Errorf("%v", busy)
	}
	begun := time.Now()
	must(t, d.command.Process.Kill())
	eventually(t, "it is gone", func() bool { return !rundir.Answers(rundir.SocketPath(root+"/first", d.answer.Digest)) })
	if time.Since(begun) < time.Second {
		t.Errorf("it went after %s while a command ran", time.Since(begun))
	}
	eventually(t, "it has cleaned up", func() bool {
		left, _ := filepath.Glob(root + "/first/*")
		return len(left) == 1 && strings.HasSuffix(left[0], ".lock")
	})
}

func TestAnAgentToWhichNobodyComesBackMakesRoomForAnother(t *testing.T) {
	root := newRoot(t)
	short := hello()
	short["exit_when_alone_ms"] = 60000
	first := connected(t, root, short)
	mark := fmt.Sprint(first.answer.PID)
	first.call(201, "POST", "/v1/processes", object{"command": "sleep 600", "env": object{"MARK": mark}})
	other := hello()
	other["token"] = strings.Repeat("0", 64)
	// As long as its daemon is there, it stays.
	if got := refused(t, root, other); got.Code != greeting.CodeWrongToken {
		t.Errorf("%+v", got)
	}
	must(t, first.command.Process.Kill())
	eventually(t, "the connection is seen to be gone", func() bool {
		line, connection, _ := converse(t, root, other)
		connection.Close()
		return bytes.Contains(line, []byte(`"ok":true`))
	})
	second := connected(t, root, other)
	t.Cleanup(func() { endAgent(second.answer.PID) })
	if second.answer.PID == first.answer.PID || len(tagged(t, "MARK", mark)) > 0 {
		t.Errorf("%+v, and of the first there is %v", second.answer, tagged(t, "MARK", mark))
	}
}

func TestDrainEndsTheAgentWhenNothingRuns(t *testing.T) {
	d, root := fresh(t)
	body, response := d.execOpen(object{"argv": []string{"cat"}, "stdin": true})
	d.call(204, "POST", "/v1/drain", nil)
	if got := d.call(409, "POST", "/v1/processes", object{"argv": []string{"true"}}); got["code"] != "draining" {
		t.Errorf("%v", got)
	}
	if health := d.call(200, "GET", "/v1/health", nil); health["draining"] != true || health["processes"] != 1.0 {
		t.Errorf("%v", health)
	}
	_, err := body.Write(append(sent(frames.Stdout, []byte("last words")), sent(frames.Stdout, nil)...))
	must(t, err)
	got := &said{}
	must(t, got.all(response.Body))
	if got.out.String() != "last words" || *got.last().Process.Exit.Code != 0 {
		t.Errorf("%q, %+v", got.out.String(), got.last())
	}
	eventually(t, "it is gone", func() bool { return !rundir.Answers(rundir.SocketPath(root+"/first", d.answer.Digest)) })
	again := connected(t, root, hello())
	if again.answer.Adopted {
		t.Errorf("%+v", again.answer)
	}
	endAgent(again.answer.PID)
}

func TestShutdownEndsAllTreesAndThenTheAgent(t *testing.T) {
	d, root := fresh(t)
	events := d.request("GET", "/v1/events", nil)
	for range 5 {
		d.call(201, "POST", "/v1/processes", object{"command": "trap '' TERM; (setsid sleep 1000 &) ; sleep 1000", "env": object{"SHUTDOWN_TAG": root}})
	}
	d.call(204, "POST", "/v1/shutdown", object{"grace_ms": 50})
	if left := tagged(t, "SHUTDOWN_TAG", root); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	_, _ = io.Copy(io.Discard, events.Body)
	eventually(t, "it is gone", func() bool { return !rundir.Answers(rundir.SocketPath(root+"/first", d.answer.Digest)) })
}

func TestASignalEndsAllTreesAndThenTheAgent(t *testing.T) {
	d, root := fresh(t)
	d.call(201, "POST", "/v1/processes", object{"command": "(setsid sleep 1000 &) ; sleep 1000", "env": object{"TERM_TAG": root}})
	must(t, syscall.Kill(d.answer.PID, syscall.SIGHUP))
	must(t, syscall.Kill(d.answer.PID, syscall.SIGINT))
	d.call(200, "GET", "/v1/health", nil)
	must(t, syscall.Kill(d.answer.PID, syscall.SIGTERM))
	eventually(t, "it is gone", func() bool { return !rundir.Answers(rundir.SocketPath(root+"/first", d.answer.Digest)) })
	if left := tagged(t, "TERM_TAG", root); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestAStoppedAgentIsNotWaitedForForever(t *testing.T) {
	t.Parallel()
	d, root := fresh(t)
	must(t, syscall.Kill(d.answer.PID, syscall.SIGSTOP))
	defer syscall.Kill(d.answer.PID, syscall.SIGCONT)
	eventually(t, "all its threads have stopped", func() bool {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", d.answer.PID))
		for _, task := range tasks {
			if content, err := os.ReadFile(task); err == nil && !strings.Contains(string(content), ") T ") {
				return false
			}
		}
		return true
	})
	if got := refused(t, root, hello()); got.Code != greeting.CodeNoAnswer {
		t.Errorf("%+v", got)
	}
}

func TestCommandsInheritNothing(t *testing.T) {
	root := newRoot(t)
	// What a careless parent leaves: an open file, ignored signals, a strange umask.
	must(t, os.WriteFile(root+"/open", nil, 0o600))
	script := fmt.Sprintf(`umask 077; trap '' HUP INT QUIT PIPE USR1; exec 7<%s/open; exec %s connect`, root, "/proc/"+fmt.Sprint(os.Getpid())+"/exe")
	old := program
	defer func() { program = old }()
	wrapper := root + "/wrapper"
	must(t, os.WriteFile(wrapper, []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	program = wrapper
	d := connected(t, root, hello())
	program = old
	defer endAgent(d.answer.PID)
	got := d.exec(object{"command": "umask; ls /proc/$$/fd; grep -E 'SigBlk|SigIgn' /proc/self/status; cat /proc/$PPID/comm; env | sort | tr '\\n' ' '"})
	text := got.out.String()
	if !strings.HasPrefix(text, "0022\n0\n1\n2\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nresident\n") {
		t.Errorf("%q", text)
	}
	if strings.Contains(text, testRoot) || strings.Contains(text, "OLDPWD") {
		t.Errorf("%q", text)
	}
}

func TestAnAgentHoldsNothingOfItsStarter(t *testing.T) {
	d, _ := fresh(t)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.answer.PID))
	must(t, err)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	if fields[2] != fmt.Sprint(d.answer.PID) || fields[3] != fmt.Sprint(d.answer.PID) {
		t.Errorf("group %s, session %s of %d", fields[2], fields[3], d.answer.PID)
	}
	for fd := range 3 {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", d.answer.PID, fd)); to != os.DevNull || err != nil {
			t.Errorf("%d is %s, %v", fd, to, err)
		}
	}
	if to, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", d.answer.PID)); to != "/" {
		t.Errorf("it is in %s", to)
	}
}

func TestRequestsOutsideTheProtocolAreRefused(t *testing.T) {
	d, _ := fresh(t)
	for _, row := range []struct {
		status  int
		method  string
		path    string
		content any
	}{
		{404, "GET", "/", nil}, {404, "GET", "/v1/nothing", nil}, {404, "PUT", "/v1/health", nil}, {404, "GET", "/v1/processes/none-1", nil},
		{400, "POST", "/v1/processes", "{"}, {400, "POST", "/v1/processes", ""}, {413, "POST", "/v1/processes", strings.Repeat(" ", 1<<20) + "{}"},
		{400, "POST", "/v1/exec", ""}, {400, "POST", "/v1/exec", string(sent(frames.Stdout, []byte("{}")))}, {400, "POST", "/v1/exec", "\x00\x00"},
		{400, "POST", "/v1/exec", string(sent(frames.JSON, []byte("[]")))}, {413, "POST", "/v1/exec", "\x00\xff\xff\xff\xff"},
		{400, "POST", "/v1/shutdown", object{"grace_ms": -1}}, {400, "POST", "/v1/shutdown", object{"unknown": 1}},
	} {
		if got := d.call(row.status, row.method, row.path, row.content); got["code"] == "" || got["message"] == "" {
			t.Errorf("%+v: %v", row, got)
		}
	}
	d.call(200, "GET", "/v1/health", nil)
}
