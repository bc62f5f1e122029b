package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"agentcontainers/resident/internal/frames"
)

func TestASlowReaderStopsItsOwnStreamOnly(t *testing.T) {
	d, _ := fresh(t)
	start := object{"command": "yes", "overflow": "block", "tty": object{"width": 80, "height": 24}}
	body, slow := d.execOpen(start)
	got := &said{}
	must(t, got.take(slow.Body))
	id := got.last().Process.ID
	var end float64
	eventually(t, "it is stopped", func() bool {
		before := end
		end = d.call(200, "GET", "/v1/processes/"+id, nil)["output"].(map[string]any)["end"].(float64)
		return end > 0 && end == before
	})
	for range 20 {
		d.exec(object{"argv": []string{"true"}})
	}
	fast := d.exec(object{"command": "head -c 20000000 /dev/zero", "overflow": "block"})
	if fast.out.Len() != 20_000_000 {
		t.Errorf("%d bytes", fast.out.Len())
	}
	_, err := body.Write(sent(frames.Stdout, []byte{3}))
	must(t, err)
	ended := d.call(200, "GET", "/v1/processes/"+id+"?wait=60000", nil)
	if ended["running"] != false {
		t.Errorf("%v", ended)
	}
	must(t, got.all(slow.Body))
	if text := got.out.String(); !strings.HasPrefix(text, "y\r\ny\r\n") || strings.Trim(text, "y\r\n^C") != "" {
		t.Errorf("%d bytes, at the end %q", len(text), text[len(text)-10:])
	}
}

func TestOutputIsReadInPages(t *testing.T) {
	d, _ := fresh(t)
	started := d.call(201, "POST", "/v1/processes", object{"command": "printf 0123456789; read x; printf abcdef", "stdin": true})
	path := "/v1/processes/" + started["id"].(string)
	page := func(query string) *said {
		response := d.request("GET", path+"/output"+query, nil)
		got := &said{}
		must(t, got.all(response.Body))
		return got
	}
	if got := page("?wait=60000&limit=4"); got.out.String() != "0123" || *got.last().Offset != 4 || *got.messages[0].Offset != 0 {
		t.Errorf("%q %+v", got.out.String(), got.messages)
	}
	eventually(t, "the first part is there", func() bool { return page("").out.String() == "0123456789" })
	if got := page("?offset=8"); got.out.String() != "89" || !got.last().Process.Running {
		t.Errorf("%q", got.out.String())
	}
	if got := page("?offset=10&wait=1"); got.out.String() != "" || *got.last().Offset != 10 {
		t.Errorf("%q", got.out.String())
	}
	waiting := make(chan *said)
	go func() { waiting <- page("?offset=10&wait=60000") }()
	d.call(204, "POST", path+"/stdin?eof=1", "go on\n")
	if got := <-waiting; !strings.HasPrefix("abcdef", got.out.String()) || got.out.Len() == 0 {
		t.Errorf("%q", got.out.String())
	}
	if got := page("?offset=3&follow=1"); got.out.String() != "3456789abcdef" || *got.last().Process.Exit.Code != 0 {
		t.Errorf("%q", got.out.String())
	}
	for _, wrong := range []string{"?offset=17", "?offset=-1", "?offset=x", "?limit=0", "?wait=300001", "?follow=2"} {
		d.call(400, "GET", path+"/output"+wrong, nil)
	}
	d.call(409, "POST", path+"/stdin", "too late")
}

func TestAReaderThatFellBehindIsToldWhereItGoesOn(t *testing.T) {
	d, _ := fresh(t)
	started := d.call(201, "POST", "/v1/processes", object{"command": "head -c 3000000 /dev/zero | tr '\\0' a; read x; head -c 3000000 /dev/zero | tr '\\0' b", "stdin": true, "ring_bytes": 65536})
	path := "/v1/processes/" + started["id"].(string)
	response := d.request("GET", path+"/output?offset=0&follow=1", nil)
	eventually(t, "the first half is there", func() bool {
		return d.call(200, "GET", path, nil)["output"].(map[string]any)["end"] == 3_000_000.0
	})
	d.call(204, "POST", path+"/stdin?eof=1", "\n")
	d.call(200, "GET", path+"?wait=60000", nil)
	got := &said{}
	must(t, got.all(response.Body))
	if len(got.messages) < 3 || *got.last().Offset != 6_000_000 {
		t.Errorf("%d messages, the last %+v", len(got.messages), got.last())
	}
}

// besidesYes reads an answer to its end, and gives what it has besides the output of `yes`, of which there can be a lot.
func besidesYes(t *testing.T, from io.Reader) (out, err string) {
	t.Helper()
	drop := func(c rune) rune {
		if c == 'y' || c == '\n' {
			return -1
		}
		return c
	}
	for {
		var got said
		takeErr := got.take(from)
		if takeErr == io.EOF {
			return out, err
		}
		must(t, takeErr)
		out += strings.Map(drop, got.out.String())
		err += strings.Map(drop, got.err.String())
	}
}

func TestAStreamEndsWithItsProcessThoughItsChildrenWriteOn(t *testing.T) {
	for _, overflow := range []string{"drop", "block"} {
		t.Run(overflow, func(t *testing.T) {
			d, _ := fresh(t)
			_, response := d.execOpen(object{"command": "yes & echo done", "overflow": overflow})
			if out, _ := besidesYes(t, response.Body); overflow != "drop" && out != "done" {
				t.Errorf("%q", out)
			}
			list := d.call(200, "GET", "/v1/processes", nil)["processes"].([]any)
			process := list[0].(map[string]any)
			exit, ended := process["exit"].(map[string]any)
			if !ended || exit["background_held"] != true {
				t.Fatalf("%v", process)
			}
			for _, query := range []string{"", "?follow=1", "?offset=" + fmt.Sprintf("%.0f", process["output"].(map[string]any)["start"])} {
				response := d.request("GET", "/v1/processes/"+process["id"].(string)+"/output"+query, nil)
				besidesYes(t, response.Body)
			}
		})
	}
}

// What the main process wrote comes after all that its child had written before, and there is no room for it at first.
func TestASlowReaderGetsAllOfTheMainProcessThoughItsChildrenWriteOn(t *testing.T) {
	d, _ := fresh(t)
	_, response := d.execOpen(object{"command": "yes & while [ ! -e go ]; do sleep 0.01; done; printf done >&2", "overflow": "block", "cwd": newRoot(t)})
	var first said
	must(t, first.take(response.Body))
	path := "/v1/processes/" + first.last().Process.ID
	var end float64
	eventually(t, "it is stopped", func() bool {
		before := end
		end = d.call(200, "GET", path, nil)["output"].(map[string]any)["end"].(float64)
		return end > 0 && end == before
	})
	must(t, os.WriteFile(first.last().Process.Cwd+"/go", nil, 0o600))
	if ended := d.call(200, "GET", path+"?wait=60000", nil); ended["running"] != false {
		t.Fatalf("%v", ended)
	}
	if _, got := besidesYes(t, response.Body); got != "done" {
		t.Errorf("%q", got)
	}
}

func TestAPageOfWhatIsWrittenWithoutEndEnds(t *testing.T) {
	d, _ := fresh(t)
	path := "/v1/processes/" + d.call(201, "POST", "/v1/processes", object{"command": "yes"})["id"].(string)
	for _, query := range []string{"", "?wait=60000"} {
		response := d.request("GET", path+"/output"+query, nil)
		besidesYes(t, response.Body)
	}
	if process := d.call(200, "GET", path, nil); process["running"] != true {
		t.Errorf("%v", process)
	}
}

func TestCommandsAreSignalledAndKilledAndListed(t *testing.T) {
	d, _ := fresh(t)
	started := d.call(201, "POST", "/v1/processes", object{"command": "trap 'exit 12' USR1; echo ready; while :; do sleep 0.01; done", "background": true})
	path := "/v1/processes/" + started["id"].(string)
	got := &said{}
	response := d.request("GET", path+"/output?follow=1", nil)
	for !strings.Contains(got.out.String(), "ready") {
		must(t, got.take(response.Body))
	}
	d.call(400, "POST", path+"/signal", object{"signal": "NOPE"})
	d.call(409, "POST", path+"/resize", object{"width": 1, "height": 1})
	d.call(409, "DELETE", path, nil)
	d.call(409, "POST", path+"/stdin", "x")
	d.call(204, "POST", path+"/signal", object{"signal": "USR1"})
	must(t, got.all(response.Body))
	if *got.last().Process.Exit.Code != 12 || got.last().Process.Kind != "background" {
		t.Errorf("%+v", got.last().Process)
	}
	d.call(409, "POST", path+"/signal", object{"signal": "USR1"})
	if list := d.call(200, "GET", "/v1/processes", nil)["processes"].([]any); len(list) != 1 {
		t.Errorf("%v", list)
	}
	d.call(200, "POST", path+"/kill", nil)
	timed := d.exec(object{"command": "echo so far; sleep 1000 & sleep 1000", "timeout_ms": 300, "grace_ms": 100})
	if exit := timed.last().Process.Exit; exit.Reason != "timeout" || timed.out.String() != "so far\n" {
		t.Errorf("%+v, %q", exit, timed.out.String())
	}
}

func TestEventsTellWhatStartsAndEnds(t *testing.T) {
	d, _ := fresh(t)
	response := d.request("GET", "/v1/events", nil)
	got := &said{}
	tells := func(running bool) bool {
		last := got.last()
		return last.Process != nil && last.Process.Running == running
	}
	must(t, got.take(response.Body))
	if got.last().Type != "snapshot" {
		t.Error(got.last().Type)
	}
	process := d.call(201, "POST", "/v1/processes", object{"argv": []string{"sleep", "1000"}})
	for !tells(true) {
		must(t, got.take(response.Body))
	}
	must(t, got.take(response.Body))
	if got.last().Type != "busy" {
		t.Error(got.last().Type)
	}
	d.call(200, "POST", fmt.Sprintf("/v1/processes/%s/kill", process["id"]), object{"grace_ms": 0})
	for !tells(false) {
		must(t, got.take(response.Body))
	}
	// What begins and ends within a moment is told of once.
	before := len(got.messages)
	const many = 50
	for range many {
		d.exec(object{"argv": []string{"true"}})
	}
	ended := map[string]bool{}
	for len(ended) < many {
		must(t, got.take(response.Body))
		if tells(false) {
			ended[got.last().Process.ID] = true
		}
	}
	if told := len(got.messages) - before; told > 4*many {
		t.Errorf("%d times", told)
	}
}

func TestManyCommandsAtOnceOverOneConnection(t *testing.T) {
	d, _ := fresh(t)
	var wait sync.WaitGroup
	for worker := range 20 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range 20 {
				expected := fmt.Sprintf("%d-%d\n", worker, i)
				if got := d.exec(object{"command": "echo " + strings.TrimSpace(expected)}); got.out.String() != expected {
					t.Errorf("%q instead of %q", got.out.String(), expected)
				}
			}
		}()
	}
	wait.Wait()
}

func TestAWrongFrameEndsItsStreamAndNothingElse(t *testing.T) {
	d, _ := fresh(t)
	for _, wrong := range [][]byte{{9, 0, 0, 0, 0}, {1, 0xff, 0xff, 0xff, 0xff}, sent(frames.JSON, []byte("{")), sent(frames.JSON, []byte(`{"resize":{"width":0,"height":0}}`))} {
		body, response := d.execOpen(object{"argv": []string{"cat"}, "tty": object{"width": 80, "height": 24}})
		got := &said{}
		must(t, got.take(response.Body))
		_, _ = body.Write(wrong)
		if err := got.all(response.Body); err == nil {
			t.Errorf("%x: the stream came to a good end", wrong)
		}
		if process := d.call(200, "GET", "/v1/processes/"+got.messages[0].Process.ID, nil); process["running"] != true {
			t.Errorf("%x: %v", wrong, process)
		}
	}
}

func BenchmarkExecTrue(b *testing.B) {
	d, _ := fresh(b)
	start := object{"argv": []string{"/bin/true"}}
	d.exec(start)
	b.ResetTimer()
	for range b.N {
		d.exec(start)
	}
}

func BenchmarkExecOutput(b *testing.B) {
	d, _ := fresh(b)
	const bytes = 256 << 20
	b.SetBytes(bytes)
	for range b.N {
		_, response := d.execOpen(object{"command": fmt.Sprintf("head -c %d /dev/zero", bytes), "overflow": "block"})
		_, _ = io.Copy(io.Discard, response.Body)
	}
}
