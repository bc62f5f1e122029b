package process

import (
	"os"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"agentcontainers/resident/internal/proc"
)

// Each command is stamped with a soft limit on file locks that no other command has. All that it starts inherits it, also
// with a cleared environment, in another session, as another user and with another parent; everybody can read it; and the
// kernel has not looked at it since Linux 2.4.25. What undoes it: a program that sets this very limit, as some login
// programs do (pam_limits of Debian).
const (
	limitLocks     = 10
	limitLocksName = "Max file locks"
	// stampFloor makes any stamp as good as no limit for whoever reads it as one.
	stampFloor = uint64(1) << 62
	// instanceDigits are the hex digits of an instance in a stamp: more than those by which agents of a container differ.
	instanceDigits = 7
	numberBits     = 32
)

// limit is that of the kernel's prlimit64.
type limit struct{ soft, hard uint64 }

// stamps makes and reads the stamps of one agent.
type stamps struct {
	// base is what all of them have in common; 0 when there are none here.
	base uint64
	// turn is held from the setting of our own limit to the end of the fork that inherits it.
	turn sync.Mutex
	own  limit
}

// newStamps finds out whether processes can be stamped here.
func newStamps(instance string) *stamps {
	s := &stamps{}
	if len(instance) < instanceDigits || setLocks(nil, &s.own) != nil {
		return s
	}
	id, err := strconv.ParseUint(instance[:instanceDigits], 16, 64)
	if err != nil {
		return s
	}
	base := stampFloor | id<<numberBits
	if setLocks(&limit{base, s.own.hard}, nil) != nil {
		return s
	}
	if seen, found := proc.SoftLimit(os.Getpid(), limitLocksName); found && seen == base {
		s.base = base
	}
	_ = setLocks(&s.own, nil)
	return s
}

// fork forks with the stamp of a command.
func (s *stamps) fork(number int, fork func()) {
	if s.base != 0 {
		s.turn.Lock()
		defer s.turn.Unlock()
		_ = setLocks(&limit{s.base | uint64(uint32(number)), s.own.hard}, nil)
		defer setLocks(&s.own, nil)
	}
	fork()
}

// read gives the number of the command that a process was stamped with, or 0.
func (s *stamps) read(pid int) int {
	if s.base == 0 {
		return 0
	}
	value, found := proc.SoftLimit(pid, limitLocksName)
	if !found || value>>numberBits != s.base>>numberBits {
		return 0
	}
	return int(uint32(value))
}

func setLocks(to, before *limit) error {
	_, _, number := syscall.RawSyscall6(
		syscall.SYS_PRLIMIT64, 0, limitLocks, uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(before)), 0, 0)
	if number != 0 {
		return number
	}
	return nil
}
