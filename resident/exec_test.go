package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"agentcontainers/resident/internal/frames"
)

func TestExecTellsTheProcessItsOutputAndItsExit(t *testing.T) {
	d, _ := fresh(t)
	got := d.exec(object{"command": "echo out; echo err >&2; exit 3"})
	if got.out.String() != "out\n" || got.err.String() != "err\n" || len(got.messages) != 2 {
		t.Errorf("%q, %q, %d messages", got.out.String(), got.err.String(), len(got.messages))
	}
	first, last := got.messages[0].Process, got.last().Process
	if !first.Running || first.Exit != nil || last.Running || *last.Exit.Code != 3 || last.Exit.Reason != "exit" || first.ID != last.ID || first.PID < 2 || last.Output.End != 8 {
		t.Errorf("%+v, %+v", first, last)
	}
	if !strings.HasPrefix(first.ID, d.answer.Instance[:4]+"-") {
		t.Errorf("%s of %s", first.ID, d.answer.Instance)
	}
	for range 50 {
		if got := d.exec(object{"argv": []string{"true"}}); *got.last().Process.Exit.Code != 0 {
			t.Fatalf("%+v", got.last())
		}
	}
}

func TestExecOfWhatCannotStartIsAnError(t *testing.T) {
	d, _ := fresh(t)
	for status, start := range map[int]object{
		404: {"argv": []string{"no-such-program"}}, 403: {"argv": []string{"/etc/passwd"}}, 400: {"argv": []string{}},
	} {
		content, err := json.Marshal(start)
		must(t, err)
		if got := d.call(status, "POST", "/v1/exec", string(sent(frames.JSON, content))); got["code"] == "" {
			t.Errorf("%v: %v", start, got)
		}
	}
}

func TestTenMillionBytesGoThroughStandardInput(t *testing.T) {
	d, _ := fresh(t)
	body, response := d.execOpen(object{"argv": []string{"cat"}, "stdin": true, "overflow": "block"})
	content := bytes.Repeat([]byte{0, 1, 2, 0xff, '\n', 0xc3, 0xa9, 7}, 1_250_000)
	go func() {
		for rest := content; len(rest) > 0; {
			n := min(len(rest), 60_000)
			_, _ = body.Write(sent(frames.Stdout, rest[:n]))
			rest = rest[n:]
		}
		_, _ = body.Write(sent(frames.Stdout, nil))
	}()
	got := &said{}
	must(t, got.all(response.Body))
	if sha256.Sum256(got.out.Bytes()) != sha256.Sum256(content) || *got.last().Process.Exit.Code != 0 {
		t.Errorf("%d of %d bytes came back, %+v", got.out.Len(), len(content), got.last().Process.Exit)
	}
}

func TestClosingAnExecEndsNothing(t *testing.T) {
	d, _ := fresh(t)
	content, _ := json.Marshal(object{"command": "echo before; while [ ! -e " + t.TempDir() + "/go ]; do sleep 0.01; done"})
	ctx, cancel := context.WithCancel(context.Background())
	from, to := io.Pipe()
	go func() { _, _ = to.Write(sent(frames.JSON, content)) }()
	request, err := http.NewRequestWithContext(ctx, "POST", "http://resident/v1/exec", from)
	must(t, err)
	response, err := d.client.Do(request)
	must(t, err)
	got := &said{}
	must(t, got.take(response.Body))
	id := got.last().Process.ID
	cancel()
	time.Sleep(100 * time.Millisecond)
	if process := d.call(200, "GET", "/v1/processes/"+id, nil); process["running"] != true {
		t.Errorf("%v", process)
	}
	ended := d.call(200, "POST", "/v1/processes/"+id+"/kill", object{"grace_ms": 100})
	if exit := ended["exit"].(map[string]any); exit["reason"] != "killed" || exit["signal"] != "SIGTERM" || exit["code"] != nil {
		t.Errorf("%v", exit)
	}
	d.call(204, "DELETE", "/v1/processes/"+id, nil)
	d.call(404, "GET", "/v1/processes/"+id, nil)
}

func TestARepeatedExecWithAKeyIsTheSameRun(t *testing.T) {
	d, _ := fresh(t)
	file := t.TempDir() + "/count"
	start := object{"command": "echo run >> " + file + "; cat " + file, "key": "k1"}
	for range 3 {
		if got := d.exec(start); got.out.String() != "run\n" || *got.last().Process.Exit.Code != 0 {
			t.Errorf("%q", got.out.String())
		}
	}
	d.call(200, "POST", "/v1/processes", start)
	d.call(409, "POST", "/v1/processes", object{"command": "other", "key": "k1"})
}

func TestATerminalIsSharedReplayedAndResized(t *testing.T) {
	d, _ := fresh(t)
	started := d.call(201, "POST", "/v1/processes", object{"argv": []string{"sh"}, "env": object{"PS1": "> "}, "tty": object{"width": 80, "height": 24}})
	path := "/v1/processes/" + started["id"].(string)
	type viewer struct {
		body     *io.PipeWriter
		response *http.Response
		said     *said
	}
	view := func(query string) *viewer {
		body, response := d.stream("POST", path+"/attach"+query)
		v := &viewer{body, response, &said{}}
		must(t, v.said.take(response.Body))
		return v
	}
	until := func(v *viewer, text string) {
		t.Helper()
		for !strings.Contains(v.said.out.String(), text) {
			if err := v.said.take(v.response.Body); err != nil {
				t.Fatalf("%v before %q in %q", err, text, v.said.out.String())
			}
		}
	}
	one, two := view(""), view("?read_only=1")
	_, err := one.body.Write(sent(frames.Stdout, []byte("echo $((1+1))1\n")))
	must(t, err)
	until(one, "21\r\n")
	until(two, "21\r\n")
	_, err = two.body.Write(append(sent(frames.JSON, []byte(`{"resize":{"width":9,"height":9}}`)), sent(frames.Stdout, []byte("exit 9\n"))...))
	must(t, err)
	_, err = one.body.Write(append(sent(frames.JSON, []byte(`{"resize":{"width":132,"height":50}}`)), sent(frames.Stdout, []byte("stty size\n"))...))
	must(t, err)
	until(one, "50 132")
	one.response.Body.Close()
	three := view("")
	until(three, "50 132")
	if *three.said.messages[0].Offset != 0 {
		t.Errorf("%+v", three.said.messages[0])
	}
	later := view("?offset=5")
	if *later.said.messages[0].Offset != 5 {
		t.Errorf("%+v", later.said.messages[0])
	}
	_, err = three.body.Write(sent(frames.Stdout, []byte("exit 4\n")))
	must(t, err)
	for _, v := range []*viewer{two, three, later} {
		must(t, v.said.all(v.response.Body))
		if exit := v.said.last().Process.Exit; exit == nil || *exit.Code != 4 {
			t.Errorf("%+v", v.said.last())
		}
	}
	whole := two.said.out.String()
	if whole != three.said.out.String() || whole[5:] != later.said.out.String() || *two.said.last().Offset != int64(len(whole)) {
		t.Error("the viewers have seen different things")
	}
}

func TestANewSizeDoesNotWaitBehindInputThatIsNotRead(t *testing.T) {
	d, _ := fresh(t)
	body, response := d.execOpen(object{
		"command": "stty raw -echo; trap 'stty size' WINCH; echo ready; while [ ! -e " + t.TempDir() + "/go ]; do sleep 0.01; done",
		"tty":     object{"width": 80, "height": 24},
	})
	got := &said{}
	until := func(text string) {
		for !strings.Contains(got.out.String(), text) {
			must(t, got.take(response.Body))
		}
	}
	until("ready")
	for range 3 {
		_, err := body.Write(sent(frames.Stdout, make([]byte, 60_000)))
		must(t, err)
	}
	_, err := body.Write(sent(frames.JSON, []byte(`{"resize":{"width":132,"height":50}}`)))
	must(t, err)
	until("50 132")
	d.call(200, "POST", "/v1/processes/"+got.messages[0].Process.ID+"/kill", object{"grace_ms": 0})
	must(t, got.all(response.Body))
}

func TestATerminalReadsAllThatWasTypedInOrder(t *testing.T) {
	d, _ := fresh(t)
	body, response := d.execOpen(object{
		"command": "stty raw -echo; echo ready; head -c 600000 | sha256sum", "tty": object{"width": 80, "height": 24},
	})
	got := &said{}
	for !strings.Contains(got.out.String(), "ready") {
		must(t, got.take(response.Body))
	}
	content := make([]byte, 600_000)
	for i := range content {
		content[i] = byte(i * 7 / 3)
	}
	go func() {
		for rest := content; len(rest) > 0; {
			n := min(len(rest), 1+len(rest)%50_000)
			_, _ = body.Write(sent(frames.Stdout, rest[:n]))
			rest = rest[n:]
		}
	}()
	must(t, got.all(response.Body))
	if sum := fmt.Sprintf("%x", sha256.Sum256(content)); !strings.Contains(got.out.String(), sum) {
		t.Errorf("%q, expected %s", got.out.String(), sum)
	}
}

func TestInputThatIsCutOffIsToldAndNotFollowedByItsEnd(t *testing.T) {
	d, _ := fresh(t)
	folder := t.TempDir()
	content, _ := json.Marshal(object{"command": "while [ ! -e " + folder + "/go ]; do sleep 0.01; done; wc -c", "stdin": true})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	from, to := io.Pipe()
	go func() {
		_, _ = to.Write(sent(frames.JSON, content))
		for range 4 {
			_, _ = to.Write(sent(frames.Stdout, make([]byte, 50_000)))
		}
		_, _ = to.Write(sent(frames.Stdout, nil))
	}()
	request, err := http.NewRequestWithContext(ctx, "POST", "http://resident/v1/exec", from)
	must(t, err)
	response, err := d.client.Do(request)
	must(t, err)
	got := &said{}
	must(t, got.take(response.Body))
	id := got.last().Process.ID
	stdin := func() map[string]any {
		return d.call(200, "GET", "/v1/processes/"+id, nil)["stdin"].(map[string]any)
	}
	// A pipe holds more than one of them, and less than two; a part is counted when nothing more comes after it.
	written := func(least float64) {
		for n := 0; stdin()["written"].(float64) < least && n < 1_000; n++ {
			time.Sleep(10 * time.Millisecond)
		}
	}
	written(50_000)
	cancel()
	response.Body.Close()
	written(50_001)
	if told := stdin(); told["written"].(float64) > 100_000 || told["open"] != true {
		t.Errorf("%v", told)
	}
	must(t, os.WriteFile(folder+"/go", nil, 0o600))
	time.Sleep(100 * time.Millisecond)
	if process := d.call(200, "GET", "/v1/processes/"+id, nil); process["running"] != true {
		t.Errorf("it took a part for the whole: %v", process)
	}
	d.call(204, "POST", "/v1/processes/"+id+"/stdin?eof=1", nil)
	if ended := d.call(200, "GET", "/v1/processes/"+id+"?wait=10000", nil); ended["running"] != false || ended["stdin"].(map[string]any)["open"] != false {
		t.Errorf("%v", ended)
	}
}
