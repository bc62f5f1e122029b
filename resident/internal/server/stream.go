package server

import (
	"context"
	"math"
	"net/http"
	"sync"
	"time"

	"agentcontainers/resident/internal/frames"
	"agentcontainers/resident/internal/output"
	"agentcontainers/resident/internal/process"
)

// frameWriter writes frames as the answer.
type frameWriter struct {
	w http.ResponseWriter
}

func newFrameWriter(w http.ResponseWriter) *frameWriter {
	w.Header().Set("content-type", "application/octet-stream")
	w.WriteHeader(http.StatusOK)
	return &frameWriter{w: w}
}

func (f *frameWriter) flush() {
	if flusher, can := f.w.(http.Flusher); can {
		flusher.Flush()
	}
}

func (f *frameWriter) json(value any) error {
	frame, err := frames.EncodeJSON(value)
	if err == nil {
		_, err = f.w.Write(frame)
	}
	return err
}

// bulkBytes is how much output is written at once: less costs more, more is no faster, and is held by each stream that
// waits for its reader.
const bulkBytes = 2 * (frames.HeaderBytes + frames.MaxPayload)

// smallBytes is enough for most of what commands say at once.
const smallBytes = 2 << 10

// buffers are for frames on their way; a stream that waits holds none.
var (
	buffers      = sync.Pool{New: func() any { return newBuffer(bulkBytes) }}
	smallBuffers = sync.Pool{New: func() any { return newBuffer(smallBytes) }}
)

func newBuffer(size int) *[]byte {
	buffer := make([]byte, size)
	return &buffer
}

// following says how much of the output is sent.
type following struct {
	follow bool
	wait   time.Duration
	// ending ends the wait as well.
	ending <-chan struct{}
	limit  int64
	// hold is how long what was written before may wait for something to go with it.
	hold time.Duration
}

var toTheEnd = following{follow: true, limit: math.MaxInt64}

// place is told where the output begins, where it goes on after a gap, and where it stops.
type place struct {
	Offset  int64        `json:"offset"`
	Process process.Info `json:"process"`
}

// placed answers with output. Before it and after it stands where it is, and what of the process is known then.
func placed(ctx context.Context, w http.ResponseWriter, p *process.Process, reader *output.Reader, how following) error {
	out := newFrameWriter(w)
	if err := out.json(place{reader.Position(), p.Info()}); err != nil {
		return err
	}
	if err := out.copyOutput(ctx, p, reader, how); err != nil {
		return err
	}
	return out.json(place{reader.Position(), p.Info()})
}

// atOnce is for a select that does not wait.
var atOnce = make(chan struct{})

func init() { close(atOnce) }

// copyOutput sends output until the process has ended and all that it wrote was sent, or as far as is asked for. Its children
// can write faster than somebody reads, for as long as they like: nothing here waits until they make a pause.
func (f *frameWriter) copyOutput(ctx context.Context, p *process.Process, reader *output.Reader, how following) error {
	done := p.Done()
	ended := false
	var timer, held <-chan time.Time
	var ending <-chan struct{}
	if how.wait > 0 && !how.follow {
		clock := time.NewTimer(how.wait)
		defer clock.Stop()
		timer, ending = clock.C, how.ending
	}
	if how.hold > 0 {
		clock := time.NewTimer(how.hold)
		defer clock.Stop()
		held = clock.C
	}
	for sent := int64(0); ; {
		// While there is more at once, nothing else would tell for sure.
		select {
		case <-done:
			ended, done = true, nil
		default:
		}
		n, last, err := f.copyReady(p, reader, how.limit-sent)
		if err != nil {
			return err
		}
		sent += n
		if sent >= how.limit || ended && last.Sealed || !how.follow && (sent > 0 || timer == nil) {
			return nil
		}
		changed := reader.Changed()
		if last.More {
			changed = atOnce
		} else if held == nil || sent > 0 {
			f.flush()
		}
		select {
		case <-changed:
		case <-done:
			ended, done = true, nil
		case <-timer:
			return nil
		case <-ending:
			return nil
		case <-held:
			held = nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// copyReady sends what is there when it begins, and of what comes meanwhile only what goes along with that. last is what was
// read last.
func (f *frameWriter) copyReady(p *process.Process, reader *output.Reader, limit int64) (n int64, last output.Part, err error) {
	for end := reader.End(); n < limit; {
		var sent int64
		sent, last, err = f.copyOnce(p, reader, limit-n)
		n += sent
		if err != nil || last.N == 0 || last.Position >= end {
			break
		}
	}
	return n, last, err
}

// copyOnce sends as much as a buffer holds. last is what was read last.
func (f *frameWriter) copyOnce(p *process.Process, reader *output.Reader, limit int64) (n int64, last output.Part, err error) {
	pool := &buffers
	if reader.Pending() <= smallBytes-frames.HeaderBytes {
		pool = &smallBuffers
	}
	held := pool.Get().(*[]byte)
	defer func() {
		// After an error what was written may still be read by the connection.
		if err == nil {
			pool.Put(held)
		}
	}()
	buffer := *held
	from, to := 0, 0
	for n < limit && len(buffer)-to > frames.HeaderBytes {
		payload := buffer[to+frames.HeaderBytes:]
		last = reader.Read(payload[:min(limit-n, int64(len(payload)), frames.MaxPayload)])
		if last.Gap {
			if err := f.gap(buffer[from:to], last, p); err != nil {
				return n, last, err
			}
			from = to
		}
		if last.N == 0 {
			break
		}
		frames.PutHeader(buffer[to:], last.Kind, last.N)
		to += frames.HeaderBytes + last.N
		n += int64(last.N)
	}
	return n, last, f.write(buffer[from:to])
}

// gap sends what comes before bytes that were lost, and then where those after them are.
func (f *frameWriter) gap(before []byte, after output.Part, p *process.Process) error {
	if err := f.write(before); err != nil {
		return err
	}
	return f.json(place{after.Position - int64(after.N), p.Info()})
}

func (f *frameWriter) write(content []byte) error {
	if len(content) == 0 {
		return nil
	}
	_, err := f.w.Write(content)
	return err
}
