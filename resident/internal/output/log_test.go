package output

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"testing"
)

const small = 64 << 10

func fill(l *Log, kind byte, content []byte) (int, error) {
	return l.Fill(kind, func(into []byte) (int, error) { return copy(into, content), nil })
}

func fillAll(t *testing.T, l *Log, kind byte, content []byte) {
	t.Helper()
	for len(content) > 0 {
		n, err := fill(l, kind, content)
		if err != nil {
			t.Fatal(err)
		}
		content = content[n:]
	}
}

func readAll(r *Reader, buffer []byte) (content []byte, kinds []byte, gaps int) {
	for {
		part := r.Read(buffer)
		if part.Gap {
			gaps++
		}
		if part.N == 0 {
			return content, kinds, gaps
		}
		content = append(content, buffer[:part.N]...)
		kinds = append(kinds, bytes.Repeat([]byte{part.Kind}, part.N)...)
	}
}

func temporary(t *testing.T) func() (*os.File, error) {
	return func() (*os.File, error) { return os.CreateTemp(t.TempDir(), "spill") }
}

func TestAReaderGetsWhatIsKeptWithItsKinds(t *testing.T) {
	l := NewLog(small, Drop, nil)
	fillAll(t, l, Stdout, []byte("one"))
	fillAll(t, l, Stderr, []byte("two"))
	fillAll(t, l, Stdout, []byte("three"))
	r, err := l.NewReader(1)
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 100)
	for _, expected := range []struct {
		kind byte
		text string
	}{{Stdout, "ne"}, {Stderr, "two"}, {Stdout, "three"}} {
		part := r.Read(buffer)
		if part.Kind != expected.kind || string(buffer[:part.N]) != expected.text {
			t.Errorf("%d %q, expected %v", part.Kind, buffer[:part.N], expected)
		}
	}
	if part := r.Read(buffer); part.N != 0 || part.Position != 11 || part.Sealed {
		t.Errorf("at the end: %+v", part)
	}
	if _, err := l.NewReader(12); !errors.Is(err, ErrBeyond) {
		t.Errorf("an offset after the end: %v", err)
	}
}

// Each byte of the model is what the log must give for an offset.
func TestNoByteIsWrongUnderRandomUse(t *testing.T) {
	for _, overflow := range []Overflow{Drop, Block, Spill} {
		for seed := range int64(6) {
			t.Run(fmt.Sprint(overflow, seed), func(t *testing.T) { randomUse(t, overflow, seed) })
		}
	}
}

func randomUse(t *testing.T, overflow Overflow, seed int64) {
	random := rand.New(rand.NewSource(seed))
	l := NewLog(small, overflow, temporary(t))
	var content, kinds []byte
	type position struct {
		r  *Reader
		at int64
	}
	var readers []*position
	chunk := make([]byte, 40000)
	for step := range 3000 {
		switch dice := random.Intn(10); {
		case dice < 5:
			size := 1 + random.Intn(200)
			if random.Intn(8) == 0 {
				size = 1 + random.Intn(len(chunk)-1)
			}
			kind := Stdout
			if seed%2 == 0 && random.Intn(3) == 0 {
				kind = Stderr
			}
			random.Read(chunk[:size])
			n, err := fill(l, kind, chunk[:size])
			if err != nil && (overflow != Block || !errors.Is(err, ErrNoRoom)) {
				t.Fatal(err)
			}
			content = append(content, chunk[:n]...)
			kinds = append(kinds, bytes.Repeat([]byte{kind}, n)...)
		case dice == 5 && len(readers) < 4:
			offset := random.Int63n(int64(len(content)) + 1)
			r, err := l.NewReader(offset)
			if err != nil {
				t.Fatal(err)
			}
			start, _ := l.Bounds()
			readers = append(readers, &position{r, max(start, offset)})
		case dice == 6 && len(readers) > 0 && random.Intn(5) == 0:
			index := random.Intn(len(readers))
			readers[index].r.Close()
			readers = append(readers[:index], readers[index+1:]...)
		case len(readers) > 0:
			p := readers[random.Intn(len(readers))]
			into := make([]byte, 1+random.Intn(50000))
			part := p.r.Read(into)
			from := part.Position - int64(part.N)
			if from != p.at {
				if !part.Gap || overflow != Drop || from < p.at {
					t.Fatalf("step %d: read on at %d instead of %d", step, from, p.at)
				}
			}
			if !bytes.Equal(into[:part.N], content[from:part.Position]) {
				t.Fatalf("step %d: other bytes at %d", step, from)
			}
			for i := from; i < part.Position; i++ {
				if kinds[i] != part.Kind {
					t.Fatalf("step %d: byte %d is of kind %d", step, i, kinds[i])
				}
			}
			if part.N == 0 && part.Position != int64(len(content)) {
				t.Fatalf("step %d: nothing at %d of %d", step, part.Position, len(content))
			}
			p.at = part.Position
		}
		start, end := l.Bounds()
		kept := end - start
		if end != int64(len(content)) || overflow == Drop && kept != min(end, small) || overflow == Block && kept > small || overflow == Spill && start != 0 {
			t.Fatalf("step %d: from %d to %d of %d are kept", step, start, end, len(content))
		}
	}
}
