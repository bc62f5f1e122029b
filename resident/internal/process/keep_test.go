package process

import (
	"fmt"
	"testing"

	"agentcontainers/resident/internal/output"
)

// writing makes a process that writes so many KiB and ends.
func writing(t *testing.T, kib int, more string) *Process {
	t.Helper()
	p := start(t, `{"command":"head -c %d /dev/zero","ring_bytes":%d%s}`, kib<<10, max(kib<<10, minRing), more)
	ended(t, p)
	return p
}

// keeping bounds what is kept of processes that have ended, for one test.
func keeping(t *testing.T, memory, files int64) {
	t.Helper()
	for _, info := range shared.List() {
		if !info.Running {
			_ = shared.Forget(info.ID)
		}
	}
	set := func(memory, files int64) {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		shared.keep.memory, shared.keep.files = memory, files
	}
	set(memory, files)
	t.Cleanup(func() { set(maxEndedMemory, maxEndedFiles) })
}

func keptOf(p *Process) int64 {
	start, end := p.log.Bounds()
	return end - start
}

func readAll(t *testing.T, p *Process) {
	t.Helper()
	reader, err := p.Output(0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for buffer := make([]byte, 64<<10); reader.Read(buffer).N > 0; {
	}
}

func TestOfThoseThatHaveEndedTheOldestOutputGoesFirst(t *testing.T) {
	keeping(t, 1<<20, 1<<30)
	var processes []*Process
	for range 6 {
		processes = append(processes, writing(t, 256, ""))
	}
	var kept []int64
	for _, p := range processes {
		kept = append(kept, keptOf(p)>>10)
	}
	if fmt.Sprint(kept) != "[0 0 256 256 256 256]" && fmt.Sprint(kept) != "[0 0 0 256 256 256]" {
		t.Errorf("%v KiB are kept", kept)
	}
	info := processes[0].Info()
	if info.Exit == nil || *info.Exit.Code != 0 || info.Output.Start != 256<<10 || info.Output.End != 256<<10 {
		t.Errorf("%+v", info)
	}
	reader, err := processes[0].Output(0)
	if err != nil || reader.Position() != 256<<10 {
		t.Fatalf("%v", err)
	}
	defer reader.Close()
	if part := reader.Read(make([]byte, 10)); part.N != 0 || !part.Sealed {
		t.Errorf("%+v", part)
	}
}

func TestWhatNobodyHasReadStaysLonger(t *testing.T) {
	keeping(t, 1<<20, 1<<30)
	unread, read := writing(t, 400, ""), writing(t, 400, "")
	readAll(t, read)
	writing(t, 400, "")
	if keptOf(unread) == 0 || keptOf(read) != 0 {
		t.Errorf("%d of the unread and %d of the read are kept", keptOf(unread), keptOf(read))
	}
}

func TestWhatIsBeingReadStays(t *testing.T) {
	keeping(t, 1<<20, 1<<30)
	p := writing(t, 800, "")
	reader, err := p.Output(0)
	if err != nil {
		t.Fatal(err)
	}
	writing(t, 800, "")
	if keptOf(p) != 800<<10 {
		t.Errorf("%d are kept", keptOf(p))
	}
	_ = reader.Close()
	writing(t, 800, "")
	if keptOf(p) != 0 {
		t.Errorf("%d are kept", keptOf(p))
	}
}

func TestTheNewestKeepsAllOfItsOwn(t *testing.T) {
	keeping(t, 100<<10, 100<<10)
	for _, more := range []string{"", `,"overflow":"spill"`} {
		if p := writing(t, 2048, more); keptOf(p) != 2048<<10 {
			t.Errorf("%q: %d are kept", more, keptOf(p))
		}
	}
}

func TestFilesAreBoundedToo(t *testing.T) {
	keeping(t, 1<<30, 1<<20)
	spilling := func() *Process {
		p := start(t, `{"command":"head -c 900000 /dev/zero","ring_bytes":65536,"overflow":"spill"}`)
		ended(t, p)
		return p
	}
	first, second := spilling(), spilling()
	if keptOf(first) != 0 || keptOf(second) != 900_000 {
		t.Errorf("%d and %d are kept", keptOf(first), keptOf(second))
	}
	writing(t, 64, "")
	if keptOf(second) != 900_000 {
		t.Errorf("%d are kept of what fits", keptOf(second))
	}
}

func TestWhatComesLateIsBoundedToo(t *testing.T) {
	keeping(t, 1<<20, 1<<30)
	p := start(t, `{"command":"(while [ ! -e late ]; do sleep 0.02; done; head -c 8000000 /dev/zero; sleep 1000) &","ring_bytes":8388608}`)
	ended(t, p)
	newest := line(t, "touch late")
	ended(t, newest)
	eventually(t, "all of it has come", func() bool { _, end := p.log.Bounds(); return end == 8_000_000 })
	eventually(t, "most of it has gone", func() bool { return keptOf(p) <= 2<<20 })
	killed(t, p, 0)
}

func TestALogThatWasReleasedGoesOn(t *testing.T) {
	l := output.NewLog(1<<20, output.Drop, nil)
	fill := func(text string) {
		_, _ = l.Fill(output.Stdout, func(into []byte) (int, error) { return copy(into, text), nil })
	}
	fill("before")
	l.Release()
	if h := l.Holding(); h.Memory != 0 || h.File != 0 {
		t.Errorf("%+v", h)
	}
	fill("after")
	reader, err := l.NewReader(0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	buffer := make([]byte, 100)
	if part := reader.Read(buffer); string(buffer[:part.N]) != "after" || part.Position != 11 {
		t.Errorf("%q, %+v", buffer[:part.N], part)
	}
}
