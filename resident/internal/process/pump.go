package process

import (
	"errors"
	"os"
	"syscall"
	"time"

	"agentcontainers/resident/internal/output"
)

// lateBytes is how much may come of a process that has ended until the bounds of what is kept are looked at again.
const lateBytes = 1 << 20

// stream is one pipe or terminal from which output is read.
type stream struct {
	kind byte
	// These are for the reader alone. collects says that the file is not in the poller, refused that it cannot leave it.
	collects, refused bool
	// These are guarded by the lock of the log. Only the reader changes the file. target is where what the main process wrote
	// ends, -1 when it is not known.
	file   *os.File
	read   int64
	target int64
	ended  bool
	// dropped says that the file is closed, whatever it would still say.
	dropped bool
}

func newStream(file *os.File, kind byte) *stream { return &stream{file: file, kind: kind, target: -1} }

// pump reads one stream into the log until its end. It waits for room in a blocked log, until that is discarded and takes all.
func (p *Process) pump(s *stream) {
	p.readToEnd(s)
	left := 0
	p.log.Under(func() {
		s.ended = true
		for _, other := range p.streams {
			if !other.ended {
				left++
			}
		}
	})
	if p.terminal == nil {
		// The end of a terminal stays open until its process has ended: closing it would hang up.
		s.file.Close()
	}
	p.sealIfComplete()
	if left == 0 {
		close(p.drained)
	}
}

func (p *Process) readToEnd(s *stream) {
	late := 0
	var pace pace
	for {
		n, empty, err := p.readSome(s)
		switch {
		case errors.Is(err, output.ErrNoRoom):
			select {
			case <-p.log.Room():
			case <-p.forgotten:
			}
		case s.collects && errors.Is(err, syscall.EAGAIN):
		case n <= 0:
			return
		}
		if p.measured.Load() {
			p.sealIfComplete()
			// Children of one that has ended can write on for as long as they like.
			if late += n; late >= lateBytes {
				late = 0
				p.table.trim()
			}
		}
		if p.terminal == nil {
			p.keepPace(s, pace.take(time.Now(), n), empty)
		}
	}
}

// readSome waits for bytes, unless they are collected. empty says that there is nothing more at the time.
func (p *Process) readSome(s *stream) (n int, empty bool, err error) {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return 0, true, err
	}
	var readErr error
	err = raw.Read(func(fd uintptr) bool {
		n, readErr = p.log.Fill(s.kind, func(into []byte) (int, error) {
			n, err := readOnce(int(fd), into)
			s.read += int64(max(n, 0))
			empty = n < len(into)
			return n, err
		})
		return s.collects || !errors.Is(readErr, syscall.EAGAIN)
	})
	if err == nil {
		err = readErr
	}
	return n, empty, err
}

func readOnce(fd int, into []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, into)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// isHeld tells whether somebody could still write to one of the streams.
func (p *Process) isHeld() (held bool) {
	p.log.Under(func() {
		for _, s := range p.streams {
			if raw, err := s.file.SyscallConn(); err == nil && !s.ended {
				_ = raw.Control(func(fd uintptr) { held = held || !hungUp(int(fd)) })
			}
		}
	})
	return held
}

// measure notes how much of the main process is still on its way. It must be called after that has ended.
func (p *Process) measure() {
	p.log.Under(func() {
		for _, s := range p.streams {
			pending := int64(0)
			if raw, err := s.file.SyscallConn(); err == nil {
				_ = raw.Control(func(fd uintptr) { pending = waiting(int(fd)) })
			}
			s.target = s.read + pending
		}
	})
	p.measured.Store(true)
	p.sealIfComplete()
}

// sealIfComplete seals the log when all that the main process wrote is in it.
func (p *Process) sealIfComplete() {
	complete := true
	p.log.Under(func() {
		for _, s := range p.streams {
			complete = complete && (s.ended || s.target >= 0 && s.read >= s.target)
		}
	})
	if complete {
		p.log.Seal()
		p.sealOnce.Do(func() { close(p.sealed) })
	}
}
