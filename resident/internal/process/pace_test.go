package process

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"agentcontainers/resident/internal/output"
	"agentcontainers/resident/internal/pipes"
)

func TestOnlyWhatComesFastIsCollected(t *testing.T) {
	type step struct {
		after time.Duration
		bytes int
		fast  bool
	}
	const ms = time.Millisecond
	for name, steps := range map[string][]step{
		"a prompt":              {{0, 100, false}, {time.Second, 100, false}},
		"much, once":            {{0, 0, false}, {ms, 1 << 20, false}, {time.Second, 100, false}},
		"slowly, for long":      {{0, 0, false}, {10 * ms, 64 << 10, false}, {10 * ms, 64 << 10, false}, {10 * ms, 64 << 10, false}},
		"fast, and then slower": {{0, 0, false}, {10 * ms, 200 << 10, false}, {10 * ms, 200 << 10, true}, {10 * ms, 10, true}, {10 * ms, 10, false}},
		"fast, and then silent": {{0, 0, false}, {20 * ms, 300 << 10, true}, {2 * ms, 0, true}, {18 * ms, 0, false}},
	} {
		var p pace
		now := time.Unix(1_000_000, 0)
		for i, s := range steps {
			now = now.Add(s.after)
			if got := p.take(now, s.bytes); got != s.fast {
				t.Errorf("%s, step %d: %v", name, i, got)
			}
		}
	}
}

func TestAStreamLeavesThePollerAndComesBackWithoutLoss(t *testing.T) {
	read, write, err := pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := newStream(pipes.File(read, "output"), output.Stdout)
	defer func() { s.file.Close() }()
	isPolled := func() bool { return !errors.Is(s.file.SetReadDeadline(time.Time{}), os.ErrNoDeadline) }
	got := make([]byte, 10)
	for round, collects := range []bool{true, false, true, false} {
		if _, err := syscall.Write(write, []byte("abc")); err != nil {
			t.Fatal(err)
		}
		s.collect(collects)
		if s.collects != collects || isPolled() == collects {
			t.Fatalf("round %d: collects %v, in the poller %v", round, s.collects, isPolled())
		}
		if n, err := readOnce(int(s.file.Fd()), got); n != 3 || err != nil {
			t.Errorf("round %d: %d, %v", round, n, err)
		}
		// Fd has made it wait.
		_ = syscall.SetNonblock(int(s.file.Fd()), true)
	}
	syscall.Close(write)
}

func TestOutputInSmallPiecesIsWholeHoweverFastItComes(t *testing.T) {
	p := start(t, `{"command":"head -c 40000000 /dev/zero | tr '\\0' x; sleep 0.1; echo; echo slow; head -c 3000000 /dev/zero >&2; echo end","ring_bytes":67108864}`)
	ended(t, p)
	merged, stderr := split(t, p)
	expected := strings.Repeat("x", 40_000_000) + "\nslow\nend\n"
	if stdout := strings.ReplaceAll(merged, "\x00", ""); stdout != expected {
		t.Errorf("%d bytes of standard output, the last %q", len(stdout), stdout[max(0, len(stdout)-20):])
	}
	if !bytes.Equal([]byte(stderr), make([]byte, 3_000_000)) {
		t.Errorf("%d bytes of standard error", len(stderr))
	}
}
