package agent

import (
	"strings"
	"testing"
	"time"
)

func TestMemoryIsGivenBackOnceAfterWork(t *testing.T) {
	freed := 0
	var timers []func()
	r := &rest{free: func() { freed++ }, after: func(_ time.Duration, f func()) { timers = append(timers, f) }}
	fire := func() {
		f := timers[0]
		timers = timers[1:]
		f()
	}
	for range 100 {
		r.work()
	}
	if len(timers) != 1 {
		t.Fatalf("%d timers", len(timers))
	}
	fire()
	r.work()
	fire()
	if freed != 0 || len(timers) != 1 {
		t.Errorf("while it works: freed %d times, %d timers", freed, len(timers))
	}
	fire()
	if freed != 1 || len(timers) != 0 {
		t.Errorf("at rest: freed %d times, %d timers", freed, len(timers))
	}
	r.work()
	if len(timers) != 1 {
		t.Error("it does not begin again")
	}
}

// The end of an agent, step by step: what happens, and how long it waits then; -1 is forever.
func TestAnAgentEndsByItselfWhenItMay(t *testing.T) {
	const alone = time.Hour
	running, draining := 0, false
	for _, row := range []struct {
		name  string
		alone time.Duration
		steps func(l *lifetime)
		wait  time.Duration
	}{
		{"never alone", 0, func(l *lifetime) { l.connected(1); l.connected(0) }, -1},
		{"alone", alone, func(l *lifetime) { l.connected(1); l.connected(0) }, alone},
		{"nobody ever came", alone, func(l *lifetime) { l.reconsider() }, alone},
		{"somebody came before it began", alone, func(l *lifetime) { l.connected(1); l.reconsider() }, -1},
		{"somebody is there", alone, func(l *lifetime) { l.connected(1) }, -1},
		{"one of two has left", alone, func(l *lifetime) { l.connected(2); l.connected(1) }, -1},
		{"something runs", alone, func(l *lifetime) { running = 1; l.connected(1); l.connected(0) }, -1},
		{"the last has ended", alone, func(l *lifetime) { running = 1; l.connected(1); l.connected(0); running = 0; l.quiet() }, alone},
		{"draining, nothing runs", 0, func(l *lifetime) { l.connected(1); draining = true; l.decide(false) }, 0},
		{"draining, something runs", 0, func(l *lifetime) { running = 1; l.connected(1); draining = true; l.decide(false) }, -1},
		{"draining, seen to its end", 0, func(l *lifetime) { draining, running = true, 1; l.connected(1); running = 0; l.quiet() }, 0},
		{"draining, ended unseen", 0, func(l *lifetime) { draining, running = true, 1; l.connected(1); l.connected(0); running = 0; l.quiet() }, unseenTime},
		{"draining, a daemon is back", 0, func(l *lifetime) { draining, running = true, 1; l.connected(0); running = 0; l.quiet(); l.connected(1) }, seenTime},
		{"draining, and it has left again", 0, func(l *lifetime) {
			draining, running = true, 1
			l.connected(0)
			running = 0
			l.quiet()
			l.connected(1)
			l.connected(0)
		}, 0},
	} {
		running, draining = 0, false
		wait := time.Duration(-1)
		l := &lifetime{alone: row.alone, state: func() (int, bool) { return running, draining }, end: func() {}}
		l.after = func(length time.Duration, _ func()) func() { wait = length; return func() { wait = -1 } }
		row.steps(l)
		if wait != row.wait {
			t.Errorf("%s: it waits %s and not %s", row.name, wait, row.wait)
		}
	}
}

func TestAnAgentThatIsNeededAgainDoesNotEnd(t *testing.T) {
	running, ends := 0, 0
	var fire func()
	l := &lifetime{alone: time.Second, state: func() (int, bool) { return running, false }, end: func() { ends++ }}
	l.after = func(_ time.Duration, f func()) func() { fire = f; return func() {} }
	l.connected(0)
	late := fire
	l.connected(1)
	late()
	if ends != 0 {
		t.Error("it ended although somebody came")
	}
	l.connected(0)
	running = 1
	fire()
	if ends != 0 {
		t.Error("it ended although something runs")
	}
	running = 0
	l.quiet()
	fire()
	if ends != 1 {
		t.Error("it did not end")
	}
}

func TestTheWindowOfAConnectionHoldsThoseOfAllStreams(t *testing.T) {
	if connectionWindow > 1<<31-1 || connectionWindow < maxStreams*streamWindow {
		t.Error(connectionWindow)
	}
}

func TestAnOrderIsChecked(t *testing.T) {
	for _, text := range []string{"", "{}", `{"greeting":{"token":"x"}}`} {
		if _, err := readOrder(strings.NewReader(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
