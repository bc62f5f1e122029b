package process

import (
	"os"
	"syscall"
	"time"
)

const (
	// Of a stream that writes more than fastBytes in paceTime the bytes are collected.
	paceTime  = 20 * time.Millisecond
	fastBytes = 256 << 10
	// collectTime is waited then, whenever there is nothing more. In it hardly a program fills a pipe of collectBytes, which
	// would make it wait.
	collectTime  = 2 * time.Millisecond
	collectBytes = 1 << 20
	// calmBytes is what a pipe has by itself. All pipes of a user share what the kernel gives them, so the rest is given back.
	calmBytes = 64 << 10

	setPipeSize = 1031 // F_SETPIPE_SZ
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
		if wanted && fcntl(fd, setPipeSize, collectBytes) < 0 {
			return
		}
		if !wanted {
			// Refused while there is more in it than that.
			_ = fcntl(fd, setPipeSize, calmBytes)
		}
		copied = fcntl(fd, syscall.F_DUPFD_CLOEXEC, 0)
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

func fcntl(fd uintptr, command, argument int) int {
	result, _, number := syscall.Syscall(syscall.SYS_FCNTL, fd, uintptr(command), uintptr(argument))
	if number != 0 {
		return -1
	}
	return int(result)
}
