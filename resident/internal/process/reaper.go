package process

import (
	"os"
	"os/signal"
	"syscall"
	"time"
	"unsafe"

	"agentcontainers/resident/internal/guard"
	"agentcontainers/resident/internal/proc"
)

// readTime bounds how long the reading of what has come already may take.
const readTime = 10 * time.Second

const prSetChildSubreaper = 36

// BecomeSubreaper makes this program the parent of all whose parents end below it. Emulators of another architecture do not
// know of that: there the first process of the container is, and trees are found by their sessions and marks alone.
func BecomeSubreaper() error {
	if _, _, number := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); number != 0 && number != syscall.EINVAL {
		return number
	}
	return nil
}

// Reap reaps the children of this program whenever one ends, until stop is closed; nil never is. Nothing else of this program may wait
// for a child.
func (t *Table) Reap(stop <-chan struct{}) {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	defer signal.Stop(ended)
	for {
		for t.reapOne() {
		}
		select {
		case <-ended:
		case <-stop:
			return
		}
	}
}

// reapOne holds the lock while it waits for nothing: as long as a main process is in the table, its number is its own.
func (t *Table) reapOne() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	pid := nextEnded()
	if pid <= 0 {
		return false
	}
	if _, ours := t.mains[pid]; !ours {
		t.noteOrphan(pid)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); err != nil {
		return err == syscall.EINTR
	}
	if p, ours := t.mains[pid]; ours {
		t.reapedMain(p, status)
	} else if t.starting > 0 {
		t.strays[pid] = status
	}
	return true
}

// nextEnded gives a child that has ended and leaves it as it is, or 0.
func nextEnded() int {
	const everyChild, exited, leave = 0, 4, 0x01000000
	var info struct {
		_   [4]int32
		pid int32
		_   [27]int32
	}
	for {
		_, _, number := syscall.RawSyscall6(syscall.SYS_WAITID, everyChild, 0, uintptr(unsafe.Pointer(&info)), exited|syscall.WNOHANG|leave, 0, 0)
		if number == 0 {
			return int(info.pid)
		}
		if number != syscall.EINTR {
			return 0
		}
	}
}

// noteOrphan notes a child that is no main process before it is reaped. Needs the lock.
func (t *Table) noteOrphan(pid int) {
	if stat, err := proc.ReadStat(pid); err == nil {
		t.past.add(spell{from: stat.Start, to: ticks(), command: t.stamps.read(pid)})
	}
}

// reapedMain needs the lock.
func (t *Table) reapedMain(p *Process, status syscall.WaitStatus) {
	t.past.add(spell{from: p.start, to: ticks(), command: p.number})
	delete(t.mains, p.pid)
	p.reaped, p.status = true, status
	if p.timer != nil {
		p.timer.Stop()
	}
	close(p.reapedNow)
	guard.Go(func() { t.settle(p) })
}

func within(limit time.Duration, event <-chan struct{}) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-event:
		return true
	case <-timer.C:
		return false
	}
}

// settle waits for what the main process wrote, and makes its end known. Others may hold its output for as long as they like.
func (t *Table) settle(p *Process) {
	if p.terminal == nil {
		p.measure()
	}
	held := false
	if !within(drainTime, p.drained) {
		if p.terminal != nil {
			p.measure()
		}
		held = p.isHeld()
		// What is there to be read is waited for, on a machine that is busy as well. A blocked log may never have room.
		if !p.log.Blocks() {
			within(readTime, p.sealed)
		}
	}
	t.mu.Lock()
	killing := p.killing
	t.mu.Unlock()
	if killing != nil {
		<-killing.done
	}
	t.finish(p, held)
	if p.terminal != nil {
		<-p.drained
		p.terminal.Close()
	}
}
