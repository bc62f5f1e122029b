package process

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"agentcontainers/resident/internal/proc"
)

// undo is the argument with which this program takes its stamp off and runs the rest of its arguments.
const undo = "take-the-stamp-off"

// unknown gives a line that starts a daemon which shows nothing of where it comes from, as login programs do.
func unknown(t *testing.T, length string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("(%s %s env -i setsid sleep %s >/dev/null 2>&1 &)", self, undo, length)
}

// calm ends all there is, so that nothing else can be what a test asks about.
func calm(t *testing.T) {
	t.Helper()
	shared.KillAll(0)
	time.Sleep(50 * time.Millisecond)
}

func TestWhatShowsNothingEndsWithTheOnlyCommandThatItCanBeOf(t *testing.T) {
	calm(t)
	length := fmt.Sprintf("1000.%d", time.Now().UnixNano())
	p := line(t, unknown(t, length)+"; sleep 600")
	eventually(t, "it is a daemon", func() bool { return isDaemon(t, length) })
	if number := shared.stamps.read(withArgument(t, length)[0]); number != 0 {
		t.Fatalf("it has the stamp %d", number)
	}
	// Times of processes are told in steps of 10 ms.
	time.Sleep(50 * time.Millisecond)
	younger := line(t, "sleep 600")
	if exit := killed(t, younger, time.Second); len(exit.Survivors) != 0 || !isDaemon(t, length) {
		t.Errorf("a younger one: %+v", exit)
	}
	if exit := killed(t, p, time.Second); len(exit.Survivors) != 0 || len(withArgument(t, length)) != 0 {
		t.Errorf("%+v, left: %v", exit, withArgument(t, length))
	}
}

func TestWhatShowsNothingIsNamedWhenItMayBeOfSeveral(t *testing.T) {
	calm(t)
	length := fmt.Sprintf("1000.%d", time.Now().UnixNano())
	other := line(t, "sleep 600")
	p := start(t, `{"command":%q,"timeout_ms":60000}`, unknown(t, length)+"; sleep 600")
	eventually(t, "it is a daemon", func() bool { return isDaemon(t, length) })
	expected := withArgument(t, length)
	for _, one := range []*Process{p, other} {
		exit := killed(t, one, 0)
		if !slices.Equal(exit.Survivors, expected) || !isDaemon(t, length) {
			t.Errorf("%+v, expected %v", exit, expected)
		}
	}
	late := line(t, "sleep 600")
	if exit := killed(t, late, 0); len(exit.Survivors) != 0 {
		t.Errorf("one that began later: %+v", exit)
	}
	shared.KillAll(0)
	if left := withArgument(t, length); len(left) != 0 {
		t.Errorf("after the end of all: %v", left)
	}
}

func TestWhatListensIsToldWithItsCommandAlsoWithAClearedEnvironment(t *testing.T) {
	length := fmt.Sprintf("1000.%d", time.Now().UnixNano())
	p := line(t, fmt.Sprintf("(env -i setsid sleep %s &); sleep 600", length))
	eventually(t, "it is a daemon", func() bool { return isDaemon(t, length) })
	if id := shared.OwnerOf(withArgument(t, length)[0]); id != p.ID {
		t.Errorf("it is of %q, not of %s", id, p.ID)
	}
	killed(t, p, 0)
}

// setBase changes that of the stamps; the reaper reads it with the lock.
func setBase(to uint64) (before uint64) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	before, shared.stamps.base = shared.stamps.base, to
	return before
}

// Without stamps the marker and the elimination have to do.
func TestWhereNothingCanBeStampedTreesEndAllTheSame(t *testing.T) {
	calm(t)
	base := setBase(0)
	defer setBase(base)
	length := fmt.Sprintf("1000.%d", time.Now().UnixNano())
	p := line(t, strings.ReplaceAll(`(env -i setsid sleep 1000 &) ; (setsid sleep 1000 &) ; sleep 1000`, "1000", length))
	eventually(t, "they are daemons", func() bool {
		daemons := 0
		for _, pid := range withArgument(t, length) {
			if stat, err := proc.ReadStat(pid); err == nil && stat.Parent == os.Getpid() {
				daemons++
			}
		}
		return daemons == 2
	})
	if exit := killed(t, p, time.Second); len(exit.Survivors) != 0 || len(withArgument(t, length)) != 0 {
		t.Errorf("%+v, left: %v", exit, withArgument(t, length))
	}
}

func TestALoginProgramDoesNotHideATree(t *testing.T) {
	root(t)
	if _, err := findProgram("su", map[string]string{"PATH": os.Getenv("PATH")}, "/"); err != nil {
		t.Skip("needs su")
	}
	calm(t)
	length := fmt.Sprintf("1000.%d", time.Now().UnixNano())
	p := line(t, fmt.Sprintf(`su - root -c '(env -i setsid sleep %s >/dev/null 2>&1 &)'; sleep 600`, length))
	eventually(t, "it is a daemon", func() bool { return isDaemon(t, length) })
	if exit := killed(t, p, time.Second); len(exit.Survivors) != 0 || len(withArgument(t, length)) != 0 {
		t.Errorf("%+v, left: %v", exit, withArgument(t, length))
	}
}
