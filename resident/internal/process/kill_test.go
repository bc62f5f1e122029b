package process

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/proc"
	"agentcontainers/resident/internal/scarce"
)

// Each of these leaves nothing behind, however it tries to get away.
func TestAKillEndsTheWholeTree(t *testing.T) {
	for name, command := range map[string]string{
		"a child":                             `sleep 1000 & wait`,
		"another session":                     `setsid sleep 1000 & sleep 1000`,
		"a double fork":                       `setsid nohup sh -c '(sleep 1000 &) ; sleep 1000' >/dev/null 2>&1 & sleep 0.1; sleep 1000`,
		"deaf to everything":                  `trap '' TERM HUP INT; (trap '' TERM; while :; do sleep 1000; done) & while :; do sleep 1000; done`,
		"stopped":                             `sleep 1000 & sleep 0.1; kill -STOP $!; kill -STOP $$; sleep 1000`,
		"no marker, in the session":           `env -i sh -c 'sleep 1000 & sleep 1000 &'; sleep 1000`,
		"no marker, below the main":           `env -i setsid env -i sleep 1000 & wait`,
		"many":                                `for i in $(seq 50); do setsid sleep 1000 & done; wait`,
		"new ones until the last":             `sleep 1000 & for i in $(seq 40); do (setsid sh -c 'for j in $(seq 50); do (sleep 1000 &) ; sleep 0.05; done' &) ; sleep 0.03; done; sleep 1000`,
		"the main process is away":            `setsid nohup sleep 1000 >/dev/null 2>&1 & sleep 0.1; exit 0`,
		"away with the output":                `sleep 1000 & exit 3`,
		"a name that misleads":                `cp $(command -v sleep) "./) S 1 1 (" && "./) S 1 1 (" 1000`,
		"cleared, a session of its own":       `(env -i setsid sleep 1000 &) ; sleep 1000`,
		"cleared, daemonised twice":           `(env -i setsid sh -c 'trap "" TERM HUP; (env -i setsid env -i sleep 1000 &) ; exit 0' &) ; sleep 1000`,
		"cleared, and new ones until the end": `(env -i setsid sh -c 'for j in 1 2 3 4 5 6 7 8 9; do (setsid sleep 1000 &) ; sleep 0.05; done' &) ; sleep 1000`,
		"cleared, the main process is away":   `(env -i setsid sleep 1000 >/dev/null 2>&1 &) ; sleep 0.1; exit 0`,
		"a new parent in its own way":         `sh -c 'setsid sh -c "sleep 1000 & sleep 1000" & sleep 1000' & sleep 0.1; kill -9 $!; sleep 1000`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tag := fmt.Sprintf("%s-%d", strings.ReplaceAll(name, " ", "-"), time.Now().UnixNano())
			// What has no tag is known by how long it wants to sleep.
			length := fmt.Sprintf("1000.%d", time.Now().UnixNano())
			command = strings.ReplaceAll(command, "1000", length)
			p := start(t, `{"command":%q,"env":{"KILL_TAG":%q},"cwd":%q}`, command, tag, t.TempDir())
			eventually(t, "it sleeps", func() bool { return len(withArgument(t, length)) > 0 })
			time.Sleep(150 * time.Millisecond)
			exit := killed(t, p, 100*time.Millisecond)
			if len(exit.Survivors) != 0 {
				t.Errorf("survivors are told: %+v", exit)
			}
			if left := withMarker(t, "KILL_TAG", tag); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
			if left := withArgument(t, length); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
			if reason := exit.Reason; reason != "killed" && !strings.Contains(name, "away") {
				t.Errorf("%+v", exit)
			}
		})
	}
}

func membersOf(t *testing.T, p *Process) []proc.Stat {
	t.Helper()
	found := newTree(p)
	if err := shared.scan([]*tree{found}); err != nil {
		t.Fatal(err)
	}
	return found.members
}

func TestATreeIsEndedByItsTimeOutAlso(t *testing.T) {
	p := start(t, `{"command":"trap '' TERM; echo before; sleep 1000 & wait; sleep 1000","timeout_ms":200,"grace_ms":100}`)
	exit := ended(t, p)
	if exit.Reason != "timeout" || *exit.Signal != "SIGKILL" || everything(t, p) != "before\n" {
		t.Errorf("%+v, %q", exit, everything(t, p))
	}
	if left := withMarker(t, "AGENTCONTAINERS_PROCESS", p.ID); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	p = start(t, `{"argv":["true"],"timeout_ms":60000}`)
	if exit := ended(t, p); exit.Reason != "exit" {
		t.Errorf("in time: %+v", exit)
	}
}

func TestAKillLeavesOthersAlone(t *testing.T) {
	other := line(t, "sleep 1000 & wait")
	p := line(t, "sleep 1000 & wait")
	eventually(t, "both run", func() bool { return len(membersOf(t, p)) == 2 && len(membersOf(t, other)) == 2 })
	killed(t, p, time.Second)
	if left := membersOf(t, other); len(left) != 2 || !other.Info().Running {
		t.Errorf("%+v", left)
	}
	killed(t, other, 0)
}

// What cleared its environment and left the session is still known by the command that it comes from.
func TestAKillLeavesTheDaemonsOfOthersAlone(t *testing.T) {
	daemon := func(command string) (p *Process, length string) {
		length = fmt.Sprintf("1000.%d", time.Now().UnixNano())
		p = line(t, strings.ReplaceAll(command, "1000", length))
		eventually(t, "it is a daemon", func() bool { return isDaemon(t, length) })
		return p, length
	}
	const running, gone = `(env -i setsid sleep 1000 &) ; sleep 600`, `(env -i setsid sleep 1000 >/dev/null 2>&1 &)`
	older, olderLength := daemon(running)
	_, goneLength := daemon(gone)
	forgotten, forgottenLength := daemon(gone)
	ended(t, forgotten)
	if err := shared.Forget(forgotten.ID); err != nil {
		t.Fatal(err)
	}
	p, length := daemon(running)
	younger, youngerLength := daemon(running)
	if exit := killed(t, p, time.Second); len(exit.Survivors) != 0 || len(withArgument(t, length)) != 0 {
		t.Errorf("%+v, left: %v", exit, withArgument(t, length))
	}
	for name, length := range map[string]string{"older": olderLength, "gone": goneLength, "forgotten": forgottenLength, "younger": youngerLength} {
		if !isDaemon(t, length) {
			t.Errorf("that of the %s one is gone too", name)
		}
	}
	for p, length := range map[*Process]string{older: olderLength, younger: youngerLength} {
		if exit := killed(t, p, time.Second); len(exit.Survivors) != 0 || len(withArgument(t, length)) != 0 {
			t.Errorf("%+v, left: %v", exit, withArgument(t, length))
		}
	}
	shared.KillAll(0)
	if left := append(withArgument(t, goneLength), withArgument(t, forgottenLength)...); len(left) != 0 {
		t.Errorf("after the end of all: %v", left)
	}
}

// isDaemon tells whether the one process with this argument is a child of this program.
func isDaemon(t *testing.T, argument string) bool {
	t.Helper()
	pids := withArgument(t, argument)
	if len(pids) != 1 {
		return false
	}
	// Before it has become `sleep` it is still about to change.
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pids[0]))
	if err != nil || !strings.HasPrefix(string(content), "sleep\x00") {
		return false
	}
	stat, err := proc.ReadStat(pids[0])
	return err == nil && stat.Parent == os.Getpid() && stat.Session == stat.PID
}

func TestAnEndInGoodTimeIsNotForced(t *testing.T) {
	p := line(t, `trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.01; done`)
	shows(t, p, "ready")
	exit := killed(t, p, time.Minute)
	if exit.Code == nil || *exit.Code != 9 || exit.Reason != "killed" || !strings.Contains(everything(t, p), "bye") {
		t.Errorf("%+v, %q", exit, everything(t, p))
	}
}

func TestASecondKillCanBeInAHurry(t *testing.T) {
	p := line(t, `trap '' TERM; echo ready; while :; do sleep 0.05; done`)
	shows(t, p, "ready")
	first := shared.Kill(p, time.Hour, "killed")
	killed(t, p, 0)
	<-first
}

func TestBackgroundThatHoldsTheOutputIsTold(t *testing.T) {
	p := line(t, `sleep 1000 & echo started`)
	exit := ended(t, p)
	if !exit.BackgroundHeld || *exit.Code != 0 || exit.Reason != "exit" || everything(t, p) != "started\n" {
		t.Errorf("%+v, %q", exit, everything(t, p))
	}
	if len(membersOf(t, p)) != 1 {
		t.Errorf("%+v", membersOf(t, p))
	}
	if exit = killed(t, p, time.Second); exit.Reason != "exit" || !exit.BackgroundHeld {
		t.Errorf("after the kill: %+v", exit)
	}
	if left := membersOf(t, p); len(left) != 0 {
		t.Errorf("%+v", left)
	}
}

func TestWhatBackgroundWritesLaterIsKept(t *testing.T) {
	p := line(t, `(while [ ! -e go ]; do sleep 0.02; done; echo later) & echo now`)
	ended(t, p)
	line(t, "touch go")
	shows(t, p, "now\nlater\n")
}

func TestAForgottenProcessDoesNotStopItsChildren(t *testing.T) {
	p := line(t, `(while [ ! -e go2 ]; do sleep 0.02; done; head -c 1000000 /dev/zero; echo still here > proof) &`)
	ended(t, p)
	if err := shared.Forget(p.ID); err != nil {
		t.Fatal(err)
	}
	line(t, "touch go2")
	eventually(t, "the child wrote all", func() bool {
		check := line(t, "cat proof")
		return *ended(t, check).Code == 0
	})
}

func TestASignalGoesToTheMainProcessOrTheTree(t *testing.T) {
	p := line(t, `trap 'echo main' USR1; (trap 'echo child; exit' USR1; echo ready; while :; do sleep 0.01; done) & while :; do sleep 0.01; done`)
	shows(t, p, "ready")
	if err := shared.Signal(p, syscall.SIGUSR1, false); err != nil {
		t.Fatal(err)
	}
	shows(t, p, "main")
	if strings.Contains(everything(t, p), "child") {
		t.Errorf("%q", everything(t, p))
	}
	if err := shared.Signal(p, syscall.SIGUSR1, true); err != nil {
		t.Fatal(err)
	}
	shows(t, p, "child")
	killed(t, p, 0)
	for _, whole := range []bool{false, true} {
		if err := shared.Signal(p, syscall.SIGUSR1, whole); err == nil || fault.From("", err).Status != 409 {
			t.Errorf("after the end: %v", err)
		}
	}
}

func TestAKillEndsTheMainProcessWhileNoneCanBeListed(t *testing.T) {
	for _, row := range []struct {
		name  string
		grace time.Duration
		code  int
	}{{"asked to end", time.Minute, 9}, {"killed", 0, -1}} {
		t.Run(row.name, func(t *testing.T) {
			p := line(t, `trap 'exit 9' TERM; setsid sleep 1000 & echo ready; while :; do sleep 0.01; done`)
			shows(t, p, "ready")
			restore := scarce.Files(t, 0)
			done := shared.Kill(p, row.grace, "killed")
			if !within(patience, p.reapedNow) {
				t.Fatal("it is not ended")
			}
			// As soon as they can be listed again the rest goes too.
			restore()
			if !within(patience, done) {
				t.Fatal("the kill does not end")
			}
			exit := ended(t, p)
			if len(exit.Survivors) != 0 || (exit.Code != nil) != (row.code >= 0) || exit.Code != nil && *exit.Code != row.code {
				t.Errorf("%+v", exit)
			}
			if left := withMarker(t, "AGENTCONTAINERS_PROCESS", p.ID); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestAMainProcessThatMayBeThereStillIsASurvivorWhenNoneCanBeListed(t *testing.T) {
	p := line(t, "sleep 1000")
	found := newTree(p)
	restore := scarce.Files(t, 0)
	listed := shared.scanOrGuess([]*tree{found})
	restore()
	if listed || len(found.members) != 1 || found.members[0].PID != p.pid {
		t.Errorf("%v, %+v", listed, found.members)
	}
	killed(t, p, 0)
	restore = scarce.Files(t, 0)
	listed = shared.scanOrGuess([]*tree{found})
	restore()
	if listed || len(found.members) != 0 {
		t.Errorf("after its end: %v, %+v", listed, found.members)
	}
}

func TestAllTreesEndAtOnce(t *testing.T) {
	var processes []*Process
	for range 10 {
		processes = append(processes, line(t, `trap '' TERM; (setsid sleep 1000 &) ; sleep 1000`))
	}
	tag := processes[3].ID
	eventually(t, "all run", func() bool { return len(withMarker(t, "AGENTCONTAINERS_PROCESS", tag)) >= 3 })
	shared.KillAll(50 * time.Millisecond)
	for _, p := range processes {
		if exit := ended(t, p); exit.Reason != "killed" || len(exit.Survivors) != 0 {
			t.Errorf("%+v", exit)
		}
		if left := withMarker(t, "AGENTCONTAINERS_PROCESS", p.ID); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	}
}

func TestTheEndOfAllIsAlsoThatOfAStartThatWasOnItsWay(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(begun); <-goOn })
	// It is asked for on the way from the reservation to the fork.
	shared.config.OOMKills = func() int64 { first(); return 0 }
	defer func() { shared.config.OOMKills = nil }()
	started := make(chan *Process, 1)
	go func() {
		p, err := tryStart(`{"argv":["sleep","1000"]}`)
		if err != nil {
			t.Error(err)
		}
		started <- p
	}()
	<-begun
	shared.Drain()
	defer func() {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		shared.draining = false
	}()
	over := make(chan struct{})
	go func() { shared.KillAll(0); close(over) }()
	eventually(t, "the start is waited for", func() bool {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		return shared.awaited != nil
	})
	close(goOn)
	p := <-started
	if !within(patience, over) {
		t.Fatal("it does not end")
	}
	if exit := ended(t, p); exit.Reason != "killed" {
		t.Errorf("%+v", exit)
	}
	if left := withMarker(t, "AGENTCONTAINERS_PROCESS", p.ID); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestANumberThatWasUsedAgainIsNotSignalled(t *testing.T) {
	p := line(t, "sleep 1000")
	other := line(t, "sleep 1000")
	stat, err := proc.ReadStat(other.pid)
	if err != nil {
		t.Fatal(err)
	}
	stat.Start--
	if err := shared.send(newTree(p), stat, syscall.SIGKILL); err != nil {
		t.Errorf("%v", err)
	}
	time.Sleep(50 * time.Millisecond)
	if !other.Info().Running {
		t.Error("it was signalled")
	}
	killed(t, p, 0)
	killed(t, other, 0)
}

func TestTheSessionOfANumberThatWasUsedAgainIsNotTheTree(t *testing.T) {
	p := line(t, "true")
	ended(t, p)
	other := line(t, "sleep 1000")
	gone := &Process{ID: "none-1", pid: other.pid, start: 1, reaped: true, table: shared}
	found := newTree(gone)
	if err := shared.scan([]*tree{found}); err != nil || len(found.members) != 0 {
		t.Errorf("%+v, %v", found.members, err)
	}
	killed(t, other, 0)
}

// Its leader has gone, so that only what the process shows itself tells whose it is.
func TestAnothersProcessInASessionWhoseNumberWasUsedAgainIsNotOfTheTree(t *testing.T) {
	length := fmt.Sprintf("1000.%d", time.Now().UnixNano())
	other := line(t, fmt.Sprintf("sleep %s >/dev/null 2>&1 &", length))
	ended(t, other)
	eventually(t, "it runs", func() bool { return len(withArgument(t, length)) == 1 })
	found := newTree(&Process{ID: "none-1", number: 1 << 30, pid: other.pid, start: 1, reaped: true, table: shared})
	if err := shared.scan([]*tree{found}); err != nil || len(found.members) != 0 {
		t.Errorf("%+v, %v", found.members, err)
	}
	<-shared.Kill(other, 0, "killed")
	eventually(t, "its own command ends it", func() bool { return len(withArgument(t, length)) == 0 })
}
