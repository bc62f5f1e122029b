package process

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/frames"
	"agentcontainers/resident/internal/output"
)

func TestARepeatedStartIsTheSameProcess(t *testing.T) {
	var wait sync.WaitGroup
	processes := make([]*Process, 20)
	fresh := 0
	var mu sync.Mutex
	for i := range processes {
		wait.Add(1)
		go func() {
			defer wait.Done()
			s, _ := ParseStart([]byte(`{"command":"echo once >> once; cat once","key":"the key"}`))
			p, _, existed, err := shared.Start(s, false)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if processes[i] = p; !existed {
				fresh++
			}
		}()
	}
	wait.Wait()
	for _, p := range processes {
		if p != processes[0] {
			t.Fatal("there are several")
		}
	}
	ended(t, processes[0])
	if got := everything(t, processes[0]); got != "once\n" || fresh != 1 {
		t.Errorf("%q, %d times fresh", got, fresh)
	}
	if _, err := tryStart(`{"argv":["true"],"key":"the key"}`); err == nil || fault.From("", err).Status != 409 {
		t.Errorf("another command with the key: %v", err)
	}
	if err := shared.Forget(processes[0].ID); err != nil {
		t.Fatal(err)
	}
	again, err := tryStart(`{"argv":["true"],"key":"the key"}`)
	if err != nil {
		t.Fatal(err)
	}
	ended(t, again)
	if _, err := tryStart(`{"argv":["no-such-program"],"key":"another"}`); err == nil {
		t.Fatal("it was started")
	}
	if p, err := tryStart(`{"argv":["true"],"key":"another"}`); err != nil {
		t.Errorf("after a start that failed: %v", err)
	} else {
		ended(t, p)
	}
}

func TestAProcessIsForgottenWhenToldOrWhenThereAreTooMany(t *testing.T) {
	p := line(t, "sleep 1000")
	if err := shared.Forget(p.ID); fault.From("", err).Status != 409 {
		t.Errorf("while it runs: %v", err)
	}
	killed(t, p, 0)
	if err := shared.Forget(p.ID); err != nil {
		t.Error(err)
	}
	if _, err := shared.Get(p.ID); fault.From("", err).Status != 404 {
		t.Errorf("%v", err)
	}
	if err := shared.Forget(p.ID); fault.From("", err).Status != 404 {
		t.Errorf("%v", err)
	}
	first := line(t, "true")
	ended(t, first)
	for range maxEnded {
		ended(t, line(t, "true"))
	}
	if _, err := shared.Get(first.ID); err == nil {
		t.Error("the oldest is still there")
	}
	if list := shared.List(); len(list) != maxEnded || list[0].StartedAt > list[len(list)-1].StartedAt {
		t.Errorf("%d are kept", len(list))
	}
}

func TestBoundsOnWhatRuns(t *testing.T) {
	p := line(t, "sleep 1000")
	shared.mu.Lock()
	shared.limit = 1
	shared.mu.Unlock()
	_, err := tryStart(`{"argv":["true"]}`)
	shared.mu.Lock()
	shared.limit = maxRunning
	shared.draining = true
	shared.mu.Unlock()
	if fault.From("", err).Status != 429 {
		t.Errorf("too many: %v", err)
	}
	_, err = tryStart(`{"argv":["true"]}`)
	shared.mu.Lock()
	shared.draining = false
	shared.mu.Unlock()
	if known := fault.From("", err); known.Status != 409 || known.Code != "draining" {
		t.Errorf("draining: %v", err)
	}
	killed(t, p, 0)
}

func TestSigkillWithAnOOMKillIsOOM(t *testing.T) {
	kills := int64(5)
	var mu sync.Mutex
	shared.config.OOMKills = func() int64 { mu.Lock(); defer mu.Unlock(); return kills }
	defer func() { shared.config.OOMKills = nil }()
	for _, row := range []struct {
		command, reason string
		grows           bool
	}{{"read x; kill -9 $$", "oom", true}, {"read x; kill -9 $$", "signal", false}, {"read x; kill -TERM $$", "signal", true}, {"read x; exit 137", "exit", true}} {
		p := start(t, `{"command":%q,"stdin":true}`, row.command)
		mu.Lock()
		if row.grows {
			kills++
		}
		mu.Unlock()
		typed(t, p, "\n")
		if exit := ended(t, p); exit.Reason != row.reason {
			t.Errorf("%v: %+v", row, exit)
		}
	}
	p := line(t, "sleep 1000")
	mu.Lock()
	kills++
	mu.Unlock()
	if exit := killed(t, p, 0); exit.Reason != "killed" {
		t.Errorf("%+v", exit)
	}
}

func events(t *testing.T, s *Subscriber) (all []map[string]any, ended bool) {
	t.Helper()
	waiting, ended := s.Take()
	for _, frame := range waiting {
		var event map[string]any
		if err := json.Unmarshal(frame[frames.HeaderBytes:], &event); err != nil {
			t.Fatal(err)
		}
		all = append(all, event)
	}
	return all, ended
}

func TestEventsFollowTheSnapshotWithoutAGap(t *testing.T) {
	running := line(t, "sleep 1000")
	s := shared.Subscribe(nil)
	defer s.Close()
	p := line(t, "sleep 1000")
	all, over := events(t, s)
	killed(t, p, 0)
	if err := shared.Forget(p.ID); err != nil {
		t.Fatal(err)
	}
	later, over := events(t, s)
	all = append(all, later...)
	var told []string
	for _, event := range all {
		if event["type"] == "forgotten" && event["id"] != p.ID {
			continue
		}
		text := fmt.Sprint(event["type"])
		if process, is := event["process"].(map[string]any); is {
			text += fmt.Sprint(" ", process["id"] == p.ID, process["running"])
		}
		if busy, is := event["busy"].(map[string]any); is {
			text += fmt.Sprint(" ", busy["commands"])
		}
		told = append(told, text)
	}
	if got := strings.Join(told, ", "); over || got != "snapshot 1, process true true, busy 2, process true false, busy 1, forgotten" {
		t.Errorf("%s, over %v", got, over)
	}
	killed(t, running, 0)
}

func TestOfWhatWasOvertakenOnlyTheLastIsTold(t *testing.T) {
	hub := newHub()
	reader := hub.subscribe()
	const last = 2 * maxBehind
	for i := range last + 1 {
		for _, id := range []string{"a", "b"} {
			hub.Publish(processEvent{Type: "process", Process: Info{ID: id, PID: i}})
			hub.Publish(busyEvent{Type: "busy", Busy: Busy{Commands: i}})
		}
	}
	hub.Publish(forgottenEvent{Type: "forgotten", ID: "a"})
	all, over := events(t, reader)
	var types []string
	for _, event := range all {
		types = append(types, fmt.Sprint(event["type"]))
	}
	if got := strings.Join(types, " "); over || got != "process process busy forgotten" || strings.Count(fmt.Sprint(all), fmt.Sprint(last)) != 3 {
		t.Errorf("%s: %v, over %v", got, all, over)
	}
}

func TestASlowReaderOfEventsIsClosedAndOthersAreNot(t *testing.T) {
	hub := newHub()
	slow, fast := hub.subscribe(), hub.subscribe()
	for i := range 3 * maxBehind {
		hub.Publish(i)
		fast.Take()
	}
	if waiting, over := slow.Take(); !over || len(waiting) != 0 {
		t.Errorf("%d wait, over %v", len(waiting), over)
	}
	hub.Publish("last")
	if waiting, over := fast.Take(); over || len(waiting) != 1 {
		t.Errorf("%d wait, over %v", len(waiting), over)
	}
	hub.Publish("one more")
	hub.Close()
	if waiting, over := fast.Take(); !over || len(waiting) != 1 {
		t.Errorf("%d wait, over %v", len(waiting), over)
	}
	if _, over := hub.subscribe().Take(); !over {
		t.Error("a closed hub is read")
	}
}

func TestALargeSnapshotIsCutIntoEvents(t *testing.T) {
	table := NewTable(Config{Instance: "aaaa"})
	for i := range 300 {
		p := &Process{ID: fmt.Sprintf("aaaa-%d", i), table: table, argv: []string{strings.Repeat("\x01", maxShownArguments)}}
		p.log = output.NewLog(1, output.Drop, nil)
		table.processes[p.ID] = p
	}
	s := table.Subscribe(nil)
	waiting, over := s.Take()
	seen := 0
	for _, frame := range waiting {
		if len(frame) > frames.MaxJSONAnswer {
			t.Errorf("a frame of %d bytes", len(frame))
		}
		seen += strings.Count(string(frame), `"id"`)
	}
	if over || seen != 300 || len(waiting) < 2 {
		t.Errorf("%d in %d frames, over %v", seen, len(waiting), over)
	}
}

func TestAReaderOfEventsIsNotBehindByWhatDidNotFitIntoTheSnapshot(t *testing.T) {
	table := NewTable(Config{Instance: "aaaa"})
	const many = maxRunning + maxEnded
	for i := range many {
		p := &Process{ID: fmt.Sprintf("aaaa-%d", i), table: table, argv: []string{strings.Repeat("x", maxShownArguments/2)}}
		p.log = output.NewLog(1, output.Drop, nil)
		table.processes[p.ID] = p
	}
	s := table.Subscribe(nil)
	defer s.Close()
	for i := range maxBehind {
		table.Hub.Publish(forgottenEvent{Type: "forgotten", ID: fmt.Sprint(i)})
	}
	waiting, over := s.Take()
	seen := 0
	for _, frame := range waiting {
		seen += strings.Count(string(frame), `"argv"`)
	}
	if over || seen != many {
		t.Fatalf("%d in %d frames, over %v", seen, len(waiting), over)
	}
	for i := range maxBehind + 1 {
		table.Hub.Publish(forgottenEvent{Type: "forgotten", ID: fmt.Sprint(i)})
	}
	if waiting, over := s.Take(); !over || len(waiting) != 0 {
		t.Errorf("later %d wait, over %v", len(waiting), over)
	}
}

func TestWhatWritesOnWhenItIsLetGoHoldsNobodyUp(t *testing.T) {
	for range 20 {
		p := line(t, "while :; do echo; done & echo begun")
		ended(t, p)
		done := make(chan struct{})
		go func() {
			p.letGo()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatal("it is not let go")
		}
		select {
		case <-p.drained:
		case <-time.After(patience):
			t.Fatal("it is still read")
		}
	}
}
