package server

import (
	"bytes"
	"math"
	"net/http/httptest"
	"testing"

	"agentcontainers/resident/internal/frames"
	"agentcontainers/resident/internal/output"
)

// counting counts the calls of Write.
type counting struct {
	*httptest.ResponseRecorder
	writes int
}

func (c *counting) Write(content []byte) (int, error) {
	c.writes++
	return c.ResponseRecorder.Write(content)
}

func filled(t *testing.T, log *output.Log, kind byte, content []byte) {
	t.Helper()
	for len(content) > 0 {
		n, err := log.Fill(kind, func(into []byte) (int, error) { return copy(into, content), nil })
		if err != nil {
			t.Fatal(err)
		}
		content = content[n:]
	}
}

func TestOutputIsWrittenInFramesManyAtOnce(t *testing.T) {
	log := output.NewLog(4<<20, output.Drop, nil)
	filled(t, log, output.Stdout, bytes.Repeat([]byte("a"), 300_000))
	filled(t, log, output.Stderr, []byte("bb"))
	filled(t, log, output.Stdout, []byte("c"))
	expected := append(bytes.Repeat([]byte("a"), 300_000), "bbc"...)
	for _, limit := range []int64{math.MaxInt64, 300_001, 70_000, 1} {
		reader, err := log.NewReader(0)
		if err != nil {
			t.Fatal(err)
		}
		w := &counting{ResponseRecorder: httptest.NewRecorder()}
		n, sealed, err := newFrameWriter(w).copyReady(nil, reader, limit)
		if wanted := min(limit, int64(len(expected))); n != wanted || sealed || err != nil {
			t.Errorf("limit %d: %d, %v, %v", limit, n, sealed, err)
		}
		var content, errors []byte
		for left := w.Body.Bytes(); len(left) > 0; {
			kind, length := left[0], int(left[1])<<24|int(left[2])<<16|int(left[3])<<8|int(left[4])
			if length == 0 || length > frames.MaxPayload {
				t.Fatalf("limit %d: a frame of %d bytes", limit, length)
			}
			payload := left[frames.HeaderBytes : frames.HeaderBytes+length]
			if content = append(content, payload...); kind == output.Stderr {
				errors = append(errors, payload...)
			}
			left = left[frames.HeaderBytes+length:]
		}
		if !bytes.Equal(content, expected[:n]) || limit > 300_002 && string(errors) != "bb" {
			t.Errorf("limit %d: other bytes", limit)
		}
		if most := int(n)/bulkBytes + 1; w.writes > most {
			t.Errorf("limit %d: %d writes, not at most %d", limit, w.writes, most)
		}
		reader.Close()
	}
}
