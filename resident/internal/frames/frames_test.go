package frames

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"
)

func frame(kind byte, payload []byte) []byte {
	out := make([]byte, HeaderBytes, HeaderBytes+len(payload))
	PutHeader(out, kind, len(payload))
	return append(out, payload...)
}

func TestFramesComeOutAsTheyWentInHoweverTheyAreCut(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), MaxPayload/16)
	stream := append(append(frame(JSON, []byte(`{"a":1}`)), frame(Stdout, large)...), frame(Stdout, nil)...)
	for name, from := range map[string]io.Reader{
		"whole":        bytes.NewReader(stream),
		"single bytes": iotest.OneByteReader(bytes.NewReader(stream)),
		"halves":       iotest.HalfReader(bytes.NewReader(stream)),
	} {
		r := NewReader(from)
		for i, expected := range [][]byte{[]byte(`{"a":1}`), large, {}} {
			_, payload, err := r.Next()
			if err != nil || !bytes.Equal(payload, expected) {
				t.Fatalf("%s: frame %d: %d bytes, %v", name, i, len(payload), err)
			}
		}
		if _, _, err := r.Next(); err != io.EOF {
			t.Fatalf("%s: the end is %v", name, err)
		}
	}
}

func TestFramesOutsideTheProtocolAreRefused(t *testing.T) {
	long := make([]byte, HeaderBytes)
	for _, row := range []struct {
		name   string
		kind   byte
		length uint32
	}{{"stderr to the agent", Stderr, 1}, {"an unknown kind", 9, 0}, {"a long payload", Stdout, MaxPayload + 1}, {"a long request", JSON, MaxJSONRequest + 1}, {"4 GiB", JSON, 0xffffffff}} {
		long[0] = row.kind
		binary.BigEndian.PutUint32(long[1:], row.length)
		_, _, err := NewReader(bytes.NewReader(long)).Next()
		var malformed *Malformed
		var large *TooLarge
		if !errors.As(err, &malformed) && !errors.As(err, &large) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func TestAFrameThatIsCutIsNoEnd(t *testing.T) {
	whole := frame(Stdout, []byte("payload"))
	for cut := 1; cut < len(whole); cut++ {
		if _, _, err := NewReader(bytes.NewReader(whole[:cut])).Next(); err != io.ErrUnexpectedEOF {
			t.Errorf("after %d bytes: %v", cut, err)
		}
	}
}

func TestALengthAloneCostsNothing(t *testing.T) {
	header := frame(JSON, nil)
	binary.BigEndian.PutUint32(header[1:], MaxJSONRequest)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, _ = NewReader(bytes.NewReader(header)).Next()
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 64<<10 {
		t.Errorf("%d bytes were taken for a frame of which nothing came", taken)
	}
}

func TestAnAnswerAboveTheBoundIsRefused(t *testing.T) {
	if _, err := EncodeJSON(string(bytes.Repeat([]byte("a"), MaxJSONAnswer))); err == nil {
		t.Error("it was encoded")
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(append(frame(JSON, []byte(`{}`)), frame(Stdout, []byte("x"))...))
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream))
		var again []byte
		for {
			kind, payload, err := r.Next()
			if err != nil {
				break
			}
			again = append(again, frame(kind, payload)...)
		}
		if !bytes.HasPrefix(stream, again) {
			t.Error("what was read is not what was written")
		}
	})
}
