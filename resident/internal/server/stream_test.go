package server

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"agentcontainers/resident/internal/frames"
	"agentcontainers/resident/internal/output"
	"agentcontainers/resident/internal/process"
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

// refilling is a reader that is slower than who writes: after each of its Writes there is more to read.
type refilling struct {
	*httptest.ResponseRecorder
	refill func()
	writes int
}

var errEndless = errors.New("it goes on without end")

func (r *refilling) Write(content []byte) (int, error) {
	if r.writes++; r.writes > 100 {
		return 0, errEndless
	}
	n, err := r.ResponseRecorder.Write(content)
	r.refill()
	return n, err
}

// ofAnEnded gives a process that has ended.
func ofAnEnded(t *testing.T) *process.Process {
	t.Helper()
	table := process.NewTable(process.Config{Instance: "0123456789abcdef", Workspace: "/", Env: map[string]string{"PATH": os.Getenv("PATH")}})
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go table.Reap(stop)
	p, _, _, err := table.Start(&process.Start{Argv: []string{"true"}, Kind: process.KindExec}, false)
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	return p
}

func TestOutputOfOneThatHasEndedIsSentToItsSealAndAPageToWhereItsReadingBegan(t *testing.T) {
	p := ofAnEnded(t)
	for name, how := range map[string]following{"follow": toTheEnd, "page": {limit: math.MaxInt64}, "waiting": {limit: math.MaxInt64, wait: time.Hour}} {
		for _, overflow := range []output.Overflow{output.Drop, output.Block} {
			log := output.NewLog(1<<20, overflow, nil)
			reader, err := log.NewReader(0)
			if err != nil {
				t.Fatal(err)
			}
			const main = 600_000
			filled(t, log, output.Stderr, make([]byte, main))
			log.Seal()
			w := &refilling{ResponseRecorder: httptest.NewRecorder()}
			w.refill = func() {
				// A blocked one takes what there is room for.
				for n, more := 1, 300_000; n > 0 && more > 0; more -= n {
					n, _ = log.Fill(output.Stdout, func(into []byte) (int, error) { return min(more, len(into)), nil })
				}
			}
			out := newFrameWriter(w)
			if err := out.copyOutput(context.Background(), p, reader, how); err != nil {
				t.Errorf("%s, %d: %v", name, overflow, err)
			}
			if overflow == output.Block && reader.Position() < main {
				t.Errorf("%s: only %d bytes", name, reader.Position())
			}
			reader.Close()
		}
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
		n, last, err := newFrameWriter(w).copyReady(nil, reader, limit)
		if wanted := min(limit, int64(len(expected))); n != wanted || last.Sealed || err != nil {
			t.Errorf("limit %d: %d, %v, %v", limit, n, last, err)
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
