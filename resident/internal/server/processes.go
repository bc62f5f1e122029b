package server

import (
	"errors"
	"io"
	"math"
	"net/http"
	"time"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/output"
	"agentcontainers/resident/internal/process"
)

const (
	maxWaitMS = 300_000
	// inputBytes is how much of raw input is passed on at once.
	inputBytes = 32 << 10
)

func (s *Server) withProcess(route func(http.ResponseWriter, *http.Request, *process.Process) error) route {
	return func(w http.ResponseWriter, r *http.Request) error {
		p, err := s.Table.Get(r.PathValue("id"))
		if err != nil {
			return err
		}
		return route(w, r, p)
	}
}

func (s *Server) start(w http.ResponseWriter, r *http.Request) error {
	content, err := body(r)
	if err != nil {
		return err
	}
	p, _, existed, err := s.begin(content, false)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if existed {
		status = http.StatusOK
	}
	return answer(w, status, p.Info())
}

// begin starts what is asked for, or finds what was started with the same key.
func (s *Server) begin(content []byte, read bool) (p *process.Process, reader *output.Reader, existed bool, err error) {
	start, err := process.ParseStart(content)
	if err != nil {
		return nil, nil, false, err
	}
	return s.Table.Start(start, read)
}

func (s *Server) list(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, http.StatusOK, map[string]any{"processes": s.Table.List()})
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, p *process.Process) error {
	wait, err := number(r, "wait", 0, 0, maxWaitMS)
	if err != nil {
		return err
	}
	if wait > 0 {
		timer := time.NewTimer(time.Duration(wait) * time.Millisecond)
		defer timer.Stop()
		select {
		case <-p.Done():
		case <-timer.C:
		case <-s.Ending:
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
	return answer(w, http.StatusOK, p.Info())
}

func (s *Server) output(w http.ResponseWriter, r *http.Request, p *process.Process) error {
	offset, offsetErr := number(r, "offset", 0, 0, 1<<62)
	wait, waitErr := number(r, "wait", 0, 0, maxWaitMS)
	limit, limitErr := number(r, "limit", math.MaxInt64, 1, math.MaxInt64)
	follow, followErr := flag(r, "follow")
	if err := errors.Join(offsetErr, waitErr, limitErr, followErr); err != nil {
		return err
	}
	reader, err := openReader(p, offset)
	if err != nil {
		return err
	}
	defer reader.Close()
	how := following{follow: follow, wait: time.Duration(wait) * time.Millisecond, ending: s.Ending, limit: limit}
	return placed(r.Context(), w, p, reader, how)
}

func openReader(p *process.Process, offset int64) (*output.Reader, error) {
	reader, err := p.Output(offset)
	if errors.Is(err, output.ErrBeyond) {
		return nil, fault.Invalid("the offset lies after the end of the output")
	}
	return reader, err
}

func (s *Server) stdin(w http.ResponseWriter, r *http.Request, p *process.Process) error {
	end, err := flag(r, "eof")
	if err != nil {
		return err
	}
	buffer := make([]byte, inputBytes)
	for {
		n, readErr := r.Body.Read(buffer)
		if n > 0 {
			if err := p.Write(r.Context(), buffer[:n]); err != nil {
				return err
			}
		}
		if readErr != nil {
			if !errors.Is(readErr, io.EOF) {
				return readErr
			}
			break
		}
	}
	if end {
		if err := p.EndInput(r.Context()); err != nil {
			return err
		}
	}
	return noContent(w)
}

func (s *Server) resize(w http.ResponseWriter, r *http.Request, p *process.Process) error {
	var size process.Size
	if err := decode(r, &size, false); err != nil {
		return err
	}
	if err := p.Resize(size); err != nil {
		return err
	}
	return noContent(w)
}

func (s *Server) signal(w http.ResponseWriter, r *http.Request, p *process.Process) error {
	var request struct {
		Signal string `json:"signal"`
		Tree   bool   `json:"tree"`
	}
	if err := decode(r, &request, false); err != nil {
		return err
	}
	signal, known := process.ParseSignal(request.Signal)
	if !known {
		return fault.Invalid("there is no such signal")
	}
	if err := s.Table.Signal(p, signal, request.Tree); err != nil {
		return err
	}
	return noContent(w)
}

func grace(r *http.Request) (time.Duration, error) {
	var request struct {
		GraceMS *int64 `json:"grace_ms"`
	}
	if err := decode(r, &request, true); err != nil {
		return 0, err
	}
	if request.GraceMS == nil {
		return process.DefaultGrace, nil
	}
	if *request.GraceMS < 0 || *request.GraceMS > process.MaxGraceMS {
		return 0, fault.Invalid("grace_ms is not between 0 and %d", process.MaxGraceMS)
	}
	return time.Duration(*request.GraceMS) * time.Millisecond, nil
}

// kill ends the tree also when the caller does not wait for it.
func (s *Server) kill(w http.ResponseWriter, r *http.Request, p *process.Process) error {
	grace, err := grace(r)
	if err != nil {
		return err
	}
	if err := s.Table.WaitEnd(r.Context(), p, s.Table.Kill(p, grace, "killed")); err != nil {
		return err
	}
	return answer(w, http.StatusOK, p.Info())
}

func (s *Server) forget(w http.ResponseWriter, r *http.Request) error {
	if err := s.Table.Forget(r.PathValue("id")); err != nil {
		return err
	}
	return noContent(w)
}
