package process

import (
	"errors"
	"syscall"

	"agentcontainers/resident/internal/proc"
)

const (
	sysPidfdSendSignal = 424
	sysPidfdOpen       = 434
)

// send signals one member of a tree, and never a process that got its number since. A member that is gone is no error.
func (t *Table) send(tree *tree, s proc.Stat, signal syscall.Signal) error {
	t.mu.Lock()
	if p := t.mains[s.PID]; p == tree.process {
		defer t.mu.Unlock()
		return ignoreGone(syscall.Kill(s.PID, signal))
	}
	t.mu.Unlock()
	fd, _, number := syscall.RawSyscall(sysPidfdOpen, uintptr(s.PID), 0, 0)
	switch {
	case number == 0:
		defer syscall.Close(int(fd))
	case number == syscall.ESRCH:
		return nil
	}
	if now, err := proc.ReadStat(s.PID); err != nil || of(now) != of(s) {
		return nil
	}
	if number == 0 {
		_, _, sent := syscall.RawSyscall6(sysPidfdSendSignal, fd, uintptr(signal), 0, 0, 0, 0)
		if sent == 0 || sent == syscall.ESRCH {
			return nil
		}
		// It may be the call that is forbidden here, and not the signal.
	}
	return ignoreGone(syscall.Kill(s.PID, signal))
}

func ignoreGone(err error) error {
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// sendGroups signals the groups of members at once: one that forks meanwhile does not get away.
func sendGroups(members []proc.Stat, ownGroup int, signal syscall.Signal) {
	done := map[int]bool{0: true, 1: true, ownGroup: true}
	for _, s := range members {
		if !done[s.Group] {
			done[s.Group] = true
			_ = syscall.Kill(-s.Group, signal)
		}
	}
}
