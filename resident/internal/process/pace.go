package process

import (
	"os"
	"syscall"
	"time"

	"agentcontainers/resident/internal/pipes"
)

const (
	// Of a stream that writes more than fastBytes in paceTime the bytes are collected.
	paceTime  = 20 * time.Millisecond
	fastBytes = 256 << 10
	// collectTime is waited then, whenever there is nothing more. In it hardly a program fills a large pipe, which would make
	// it wait.
	collectTime = 2 * time.Millisecond
)

// pace knows whether a stream is a fast one. What comes slower is read at once, always.
type pace struct {
	since time.Time
	bytes int
	fast  bool
}

// take counts n bytes, and tells whether they come fast.
func (p *pace) take(now time.Time, n int) (fast bool) {
	p.bytes += n
	if past := now.Sub(p.since); past >= paceTime {
		p.fast = p.bytes >= fastBytes && past < 2*paceTime
		p.since, p.bytes = now, 0
	}
	return p.fast
}

// keepPace collects what comes fast: most programs write in small pieces, and to wake its reader for each of them costs both
// more than to take them. The poller would be woken for each one even while nobody waits, so the pipe leaves it.
func (p *Process) keepPace(s *stream, fast, empty bool) {
	if fast != s.collects && !s.refused {
		p.log.Under(func() { s.collect(fast) })
	}
	if s.collects && empty {
		time.Sleep(collectTime)
	}
}

// collect takes the pipe out of the poller, or puts it there again. Where it cannot be made large enough it stays there.
// Needs the lock of the log.
func (s *stream) collect(wanted bool) {
	if s.dropped {
		return
	}
	raw, err := s.file.SyscallConn()
	if err != nil {
		return
	}
	copied := -1
	_ = raw.Control(func(fd uintptr) {
		size := pipes.Small
		if wanted {
			size = pipes.Large
		}
		// A fast one has to be large. Of one that is not, what is more than it needs may stay.
		if pipes.Resize(fd, size) != 0 && wanted {
			return
		}
		if number, _, refused := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0); refused == 0 {
			copied = int(number)
		}
	})
	if copied < 0 {
		s.refused = wanted
		return
	}
	// What would wait by itself when its file is made is not put into the poller.
	_ = syscall.SetNonblock(copied, !wanted)
	file := os.NewFile(uintptr(copied), s.file.Name())
	_ = syscall.SetNonblock(copied, true)
	s.file.Close()
	s.file, s.collects = file, wanted
}
