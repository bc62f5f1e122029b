package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/output"
)

func TestStandardInputIsEmptyUnlessAskedFor(t *testing.T) {
	p := start(t, `{"argv":["cat"]}`)
	ended(t, p)
	if err := p.Write(context.Background(), []byte("x")); err == nil {
		t.Error("it was written")
	}
	p = start(t, `{"argv":["wc","-c"],"stdin":true}`)
	chunk := bytes.Repeat([]byte("0123456789"), 100_000)
	for range 10 {
		if err := p.Write(context.Background(), chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.EndInput(context.Background()); err != nil {
		t.Fatal(err)
	}
	ended(t, p)
	if got := strings.TrimSpace(everything(t, p)); got != "10000000" {
		t.Errorf("%q", got)
	}
	if err := p.Write(context.Background(), []byte("x")); err == nil {
		t.Error("it was written after the end")
	}
}

func TestAWriterThatNobodyReadsCanBeCancelled(t *testing.T) {
	for _, request := range []string{`{"argv":["sleep","1000"],"stdin":true}`, `{"command":"stty raw -echo; echo ready; exec sleep 1000","tty":{"width":80,"height":24}}`} {
		p := start(t, "%s", request)
		if p.terminal != nil {
			shows(t, p, "ready")
		}
		ctx, cancel := context.WithCancel(context.Background())
		written := make(chan error)
		go func() { written <- p.Write(ctx, make([]byte, 1<<20)) }()
		waiting := make(chan error)
		waitingCtx, stopWaiting := context.WithCancel(context.Background())
		go func() { waiting <- p.Write(waitingCtx, []byte("x")) }()
		stopWaiting()
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: one that waits for its turn: %v", request, err)
		}
		cancel()
		if err := <-written; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", request, err)
		}
		third := make(chan error)
		go func() { third <- p.Write(context.Background(), make([]byte, 1<<20)) }()
		killed(t, p, 0)
		if err := <-third; err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%s: after the end: %v", request, err)
		}
	}
}

func TestInputThatNobodyReadsAnyMoreIsToldAsClosed(t *testing.T) {
	for _, command := range []string{`exec <&-; echo closed; exec sleep 1000`, `head -c 1 >/dev/null; exec </dev/null; echo closed; exec sleep 1000`} {
		p := start(t, `{"command":%q,"stdin":true}`, command)
		if !p.Info().Stdin.Open && !strings.HasPrefix(command, "exec") {
			t.Errorf("%s: %+v", command, p.Info().Stdin)
		}
		written := make(chan error, 1)
		if strings.HasPrefix(command, "head") {
			// More than a pipe holds, so that the writer waits when it is closed.
			go func() { written <- p.Write(context.Background(), make([]byte, 1<<20)) }()
		}
		shows(t, p, "closed")
		eventually(t, "it is told as closed", func() bool { return !p.Info().Stdin.Open })
		if strings.HasPrefix(command, "exec") {
			written <- p.Write(context.Background(), []byte("x"))
		}
		if err := <-written; err == nil || fault.From("", err).Status != 409 {
			t.Errorf("%s: %v", command, err)
		}
		if stdin := p.Info().Stdin; stdin.Open || stdin.Written >= 1<<20 || !p.Info().Running {
			t.Errorf("%s: %+v", command, stdin)
		}
		if err := p.EndInput(context.Background()); err != nil {
			t.Errorf("%s: its end: %v", command, err)
		}
		killed(t, p, 0)
	}
}

func TestManyShortCommandsAtOnceAllEnd(t *testing.T) {
	var wait sync.WaitGroup
	for range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range 40 {
				s, _ := ParseStart([]byte(fmt.Sprintf(`{"command":"(true &) ; echo %d"}`, i)))
				p, _, _, err := shared.Start(s, false)
				if err != nil {
					t.Error(err)
					return
				}
				<-p.Done()
				if got := everything(t, p); got != fmt.Sprintf("%d\n", i) {
					t.Errorf("%q", got)
				}
			}
		}()
	}
	wait.Wait()
	if running, busy, _ := shared.Counts(); running != 0 || busy.Commands != 0 {
		t.Errorf("%d run, %+v", running, busy)
	}
}

func TestAFastReaderGetsEveryByteOfABlockedProcess(t *testing.T) {
	s, err := ParseStart([]byte(`{"command":"head -c 50000000 /dev/zero | tr '\\0' 'a'; echo end >&2","overflow":"block","ring_bytes":65536}`))
	if err != nil {
		t.Fatal(err)
	}
	p, r, _, err := shared.Start(s, true)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	total, second := 0, ""
	buffer := make([]byte, 64<<10)
	for {
		part := r.Read(buffer)
		if part.Gap {
			t.Fatal("bytes were lost")
		}
		if part.Kind == output.Stderr {
			second += string(buffer[:part.N])
		} else {
			total += part.N
		}
		if part.N > 0 {
			continue
		}
		if part.Sealed {
			break
		}
		<-r.Changed()
	}
	if exit := ended(t, p); total != 50_000_000 || second != "end\n" || exit.BackgroundHeld {
		t.Errorf("%d bytes, %q, %+v", total, second, exit)
	}
}

func TestABlockedProcessWithoutAReaderEndsAndKeepsWhatIsOnItsWay(t *testing.T) {
	p := start(t, `{"command":"head -c 100000 /dev/zero","overflow":"block","ring_bytes":65536}`)
	eventually(t, "the log is full", func() bool { _, end := p.log.Bounds(); return end == 65536 })
	exit := ended(t, p)
	r, err := p.Output(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	total := 0
	buffer := make([]byte, 10_000)
	for {
		part := r.Read(buffer)
		if total += part.N; part.N == 0 && part.Sealed {
			break
		} else if part.N == 0 {
			<-r.Changed()
		}
	}
	if total != 100_000 {
		t.Errorf("%d bytes, %+v", total, exit)
	}
}

func TestOverflowGoesToAFileThatIsGoneWithTheProcess(t *testing.T) {
	p := start(t, `{"command":"seq 1 200000","overflow":"spill","ring_bytes":65536}`)
	ended(t, p)
	got := everything(t, p)
	if !strings.HasPrefix(got, "1\n2\n") || !strings.HasSuffix(got, "\n199999\n200000\n") || len(got) != 1288895 {
		t.Errorf("%d bytes", len(got))
	}
	if left, _ := filepath.Glob(shared.config.Directory + "/.spill*"); len(left) != 0 {
		t.Errorf("%v", left)
	}
	if err := shared.Forget(p.ID); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkStartToExit(b *testing.B) {
	s, err := ParseStart([]byte(`{"argv":["/bin/true"]}`))
	if err != nil {
		b.Fatal(err)
	}
	for range b.N {
		p, _, _, err := shared.Start(s, false)
		if err != nil {
			b.Fatal(err)
		}
		<-p.Done()
	}
}
