package process

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

const (
	sysCloseRange     = 436
	closeRangeCloexec = 4
	commandUmask      = 0o022
)

// CleanInheritance makes sure that commands get nothing from whoever started this program: no open files, no umask and no
// ignored signals. Call it first.
func CleanInheritance() {
	closeOnExec()
	syscall.Umask(commandUmask)
	// A signal that this program takes is not ignored, and what is taken is set to its default when a command begins.
	taken := make(chan os.Signal, 1)
	for number := syscall.Signal(1); number < 32; number++ {
		if signal.Ignored(number) {
			signal.Notify(taken, number)
		}
	}
}

func closeOnExec() {
	if _, _, number := syscall.RawSyscall(sysCloseRange, 3, ^uintptr(0)>>32, closeRangeCloexec); number == 0 {
		return
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// BlockedSignals tells whether this program was started with signals that it, and all it starts, would never get.
func BlockedSignals() bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return false
	}
	_, after, found := strings.Cut(string(status), "\nSigBlk:")
	mask, _, _ := strings.Cut(after, "\n")
	return found && strings.Trim(mask, "\t 0") != ""
}
