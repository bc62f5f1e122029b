package server

import (
	"context"
	"net/http"
	"time"

	"agentcontainers/resident/internal/frames"
	"agentcontainers/resident/internal/guard"
	"agentcontainers/resident/internal/process"
)

// holdTime is how long the news that a command runs waits for its first output, or its end.
const holdTime = 5 * time.Millisecond

type told struct {
	Process process.Info `json:"process"`
}

// exec starts a process and stays with it. When the request is closed the process goes on.
func (s *Server) exec(w http.ResponseWriter, r *http.Request) error {
	from := frames.NewReader(r.Body)
	first, err := firstFrame(from)
	if err != nil {
		return err
	}
	p, reader, existed, err := s.begin(first, true)
	if err != nil {
		return err
	}
	defer reader.Close()
	out := newFrameWriter(w)
	info := p.Info()
	if err := out.json(told{info}); err != nil {
		return err
	}
	how := toTheEnd
	if info.Stdin == nil {
		// Most commands end in a moment, and nobody can do much with one before that: it is told in one go.
		how.hold = holdTime
	}
	// What is repeated with a key was written the first time.
	ctx, stop := feeding(r.Context(), from, p, existed)
	defer stop()
	if err := out.copyOutput(ctx, p, reader, how); err != nil {
		return err
	}
	return out.json(told{p.Info()})
}

// feeding passes the input on while the answer is written. The context ends with the request, and with a wrong frame.
func feeding(request context.Context, from *frames.Reader, p *process.Process, deaf bool) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(request)
	guard.Go(func() {
		if err := feed(ctx, from, p, deaf); err != nil {
			cancel(err)
		}
	})
	return ctx, func() { cancel(nil) }
}

// attach follows a process that runs, and passes input on to it.
func (s *Server) attach(w http.ResponseWriter, r *http.Request, p *process.Process) error {
	offset, err := number(r, "offset", 0, 0, 1<<62)
	if err != nil {
		return err
	}
	readOnly, err := flag(r, "read_only")
	if err != nil {
		return err
	}
	reader, err := openReader(p, offset)
	if err != nil {
		return err
	}
	defer reader.Close()
	ctx, stop := feeding(r.Context(), frames.NewReader(r.Body), p, readOnly)
	defer stop()
	return placed(ctx, w, p, reader, toTheEnd)
}
