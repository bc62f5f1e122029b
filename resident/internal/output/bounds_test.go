package output

import (
	"bytes"
	"errors"
	"os"
	"testing"
)

func TestADroppedReaderIsTold(t *testing.T) {
	l := NewLog(small, Drop, nil)
	r, _ := l.NewReader(0)
	fillAll(t, l, Stdout, make([]byte, small+10))
	part := r.Read(make([]byte, 5))
	if !part.Gap || part.Position != 15 || !part.More {
		t.Errorf("%+v", part)
	}
	if part = r.Read(make([]byte, 5)); part.Gap {
		t.Errorf("told twice: %+v", part)
	}
}

func TestABlockedLogWaitsForTheSlowestReaderAndKeepsHalfBehindIt(t *testing.T) {
	l := NewLog(small, Block, nil)
	fillAll(t, l, Stdout, make([]byte, small))
	if _, err := fill(l, Stdout, []byte("x")); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("without a reader: %v", err)
	}
	if !l.Stalled() {
		t.Error("nobody reads, and it goes on")
	}
	slow, _ := l.NewReader(0)
	fast, _ := l.NewReader(0)
	readAll(fast, make([]byte, 1000))
	if l.Stalled() {
		t.Error("somebody reads, however slowly")
	}
	if _, err := fill(l, Stdout, []byte("x")); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("while one reader is slow: %v", err)
	}
	<-l.Room()
	slow.Close()
	<-l.Room()
	fillAll(t, l, Stdout, make([]byte, small/2))
	if _, err := fill(l, Stdout, []byte("x")); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("with half of it unread: %v", err)
	}
	if start, end := l.Bounds(); end-start != small || fast.Position()-start != small/2 {
		t.Errorf("%d to %d are kept, the reader is at %d", start, end, fast.Position())
	}
	fast.Close()
	if _, err := fill(l, Stdout, []byte("x")); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("after the last reader went: %v", err)
	}
	if l.Seal(); l.Stalled() {
		t.Error("it has ended")
	}
}

func TestTheMemoryOfALogIsBounded(t *testing.T) {
	l := NewLog(small, Drop, nil)
	for i := range 100_000 {
		fillAll(t, l, Stdout+byte(i%2), []byte("0123456789"))
	}
	total := 0
	for _, b := range l.blocks {
		total += cap(b.data) + 8*len(b.stderr)
	}
	if total > small*5/4+2*blockBytes {
		t.Errorf("%d bytes are held for %d", total, small)
	}
	little := NewLog(1<<20, Drop, nil)
	fillAll(t, little, Stdout, []byte("$ "))
	if held := cap(little.blocks[0].data); held > 4096 || len(little.blocks) != 1 {
		t.Errorf("a prompt holds %d bytes", held)
	}
}

func TestAFullDiskLetsTheOldestGo(t *testing.T) {
	l := NewLog(small, Spill, temporary(t))
	fillAll(t, l, Stdout, make([]byte, 4*small))
	// What a file system does that takes no byte more than it has.
	l.spill.limit = len(l.spill.slots)
	marks := bytes.Repeat([]byte("ab"), 2*small)
	fillAll(t, l, Stderr, marks)
	start, end := l.Bounds()
	if start == 0 || end-start < small {
		t.Fatalf("from %d to %d are kept", start, end)
	}
	r, _ := l.NewReader(0)
	content, kinds, _ := readAll(r, make([]byte, 7777))
	whole := append(make([]byte, 4*small), marks...)
	if !bytes.Equal(content, whole[start:]) || kinds[len(kinds)-1] != Stderr {
		t.Error("other bytes came back")
	}
}

func TestWithoutAFileTheOldestAreDropped(t *testing.T) {
	l := NewLog(small, Spill, func() (*os.File, error) { return nil, errors.New("no space") })
	fillAll(t, l, Stdout, make([]byte, 4*small))
	if start, end := l.Bounds(); end-start < small || end-start > small+blockBytes {
		t.Errorf("from %d to %d are kept", start, end)
	}
	readOnly, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	l = NewLog(small, Spill, func() (*os.File, error) { return readOnly, nil })
	fillAll(t, l, Stdout, make([]byte, 4*small))
	if start, end := l.Bounds(); end-start < small || end-start > small+blockBytes {
		t.Errorf("with a file that takes nothing, from %d to %d are kept", start, end)
	}
}

func TestWhatIsLostInTheFileIsAGap(t *testing.T) {
	l := NewLog(small, Spill, temporary(t))
	fillAll(t, l, Stdout, make([]byte, 4*small))
	r, _ := l.NewReader(0)
	if err := l.spill.file.Truncate(0); err != nil {
		t.Fatal(err)
	}
	content, _, gaps := readAll(r, make([]byte, 1000))
	if gaps != 1 || len(content) < small {
		t.Errorf("%d gaps, %d bytes", gaps, len(content))
	}
}

func TestADiscardedLogForgetsAndTakesEverything(t *testing.T) {
	l := NewLog(small, Block, nil)
	fillAll(t, l, Stdout, make([]byte, small))
	r, _ := l.NewReader(0)
	l.Discard()
	fillAll(t, l, Stderr, make([]byte, 10*small))
	part := r.Read(make([]byte, 10))
	if part.N != 0 || !part.Sealed {
		t.Errorf("%+v", part)
	}
	if start, end := l.Bounds(); start != end || end != 11*small {
		t.Errorf("%d, %d", start, end)
	}
}

func TestReadersAreWokenByBytesAndTheSeal(t *testing.T) {
	l := NewLog(small, Drop, nil)
	r, _ := l.NewReader(0)
	fillAll(t, l, Stdout, []byte("x"))
	<-r.Changed()
	r.Read(make([]byte, 10))
	l.Seal()
	<-r.Changed()
	if part := r.Read(make([]byte, 10)); !part.Sealed {
		t.Errorf("%+v", part)
	}
}

func TestAReaderIsAtTheSealAfterAllThatCameBeforeItAndNotLater(t *testing.T) {
	l := NewLog(small, Drop, nil)
	r, _ := l.NewReader(0)
	fillAll(t, l, Stdout, []byte("before"))
	l.Seal()
	fillAll(t, l, Stdout, []byte("after"))
	l.Seal()
	for _, expected := range []struct {
		bytes  int
		sealed bool
	}{{3, false}, {3, true}, {1, true}, {4, true}, {0, true}} {
		if part := r.Read(make([]byte, expected.bytes)); part.N != expected.bytes || part.Sealed != expected.sealed {
			t.Errorf("%+v, expected %v", part, expected)
		}
	}
}

func TestReadersAreWokenForWhatComesTogether(t *testing.T) {
	l := NewLog(4<<20, Drop, nil)
	r, _ := l.NewReader(0)
	isWoken := func() bool {
		select {
		case <-r.Changed():
			return true
		default:
			return false
		}
	}
	// All that fits into a block: more may come at once.
	whole := make([]byte, blockBytes)
	for _, s := range []struct {
		name  string
		does  func()
		wakes bool
	}{
		{"a little", func() { fill(l, Stdout, []byte("x")) }, true},
		{"much", func() { fill(l, Stdout, whole) }, false},
		{"nothing more", func() { nothing(l) }, true},
		{"nothing again", func() { nothing(l) }, false},
		{"much more", func() { fillAll(t, l, Stdout, make([]byte, untoldBytes+blockBytes)) }, true},
		{"the end", func() { l.Seal() }, true},
	} {
		s.does()
		if got := isWoken(); got != s.wakes {
			t.Errorf("%s: %v", s.name, got)
		}
	}
	blocked := NewLog(small, Block, nil)
	r, _ = blocked.NewReader(0)
	fillAll(t, blocked, Stdout, make([]byte, small/2))
	_, _ = fill(blocked, Stdout, whole)
	if !isWoken() {
		t.Error("not when there is no room")
	}
}

// One of two that wait for room can find that nothing has come; then the other one must be told.
func TestRoomThatOneDoesNotNeedIsToldToTheOther(t *testing.T) {
	l := NewLog(small, Block, nil)
	r, _ := l.NewReader(0)
	fillAll(t, l, Stdout, make([]byte, small/2))
	readAll(r, make([]byte, 1000))
	<-l.Room()
	if n, err := nothing(l); n != 0 || err == nil {
		t.Fatal(n, err)
	}
	select {
	case <-l.Room():
	default:
		t.Error("it is not told")
	}
}

func nothing(l *Log) (int, error) {
	return l.Fill(Stdout, func([]byte) (int, error) { return -1, errors.New("nothing came") })
}

func BenchmarkFillAndRead(b *testing.B) {
	l := NewLog(1<<20, Block, nil)
	r, _ := l.NewReader(0)
	chunk, buffer := make([]byte, blockBytes), make([]byte, 64<<10)
	b.SetBytes(blockBytes)
	for range b.N {
		if _, err := fill(l, Stdout, chunk); err != nil {
			b.Fatal(err)
		}
		r.Read(buffer)
	}
}

func TestALogWhoseReaderTookAllAndLeftIsNotStalledUntilMoreComes(t *testing.T) {
	l := NewLog(small, Block, nil)
	reader, _ := l.NewReader(0)
	for range 3 {
		fillAll(t, l, Stdout, make([]byte, small/2))
		readAll(reader, make([]byte, 1000))
	}
	reader.Close()
	if l.Stalled() {
		t.Error("nothing waits")
	}
	if _, err := fill(l, Stdout, []byte("x")); !errors.Is(err, ErrNoRoom) || !l.Stalled() {
		t.Errorf("what comes then waits: %v", err)
	}
}
