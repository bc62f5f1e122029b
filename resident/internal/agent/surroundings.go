package agent

import (
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"

	"agentcontainers/resident/internal/process"
	"agentcontainers/resident/internal/rundir"
)

const (
	// unblocked marks the second of two runs, so that there is no third.
	unblocked = "--unblocked"
	// programs is how many threads run our code at once: the container is for others.
	programs = 2
	// garbage is the growth of the heap, in percent, after which it is cleaned up.
	garbage = 200
)

// Tune makes the runtime a small one. Call it first, in all programs.
func Tune() {
	runtime.GOMAXPROCS(min(programs, runtime.NumCPU()))
	debug.SetGCPercent(garbage)
}

// unblockSignals runs the program anew when it was started with signals blocked: all commands would inherit that.
func unblockSignals() {
	if !process.BlockedSignals() || len(os.Args) > 2 {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var none uint64
	const setMask = 2
	_, _, number := syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, setMask, uintptr(unsafe.Pointer(&none)), 0, 8, 0, 0)
	if number == 0 {
		_ = syscall.Exec(rundir.Self, append(os.Args[:2:2], unblocked), os.Environ())
	}
}

// settleIn makes this program independent of where and by whom it was started.
func settleIn() error {
	process.CleanInheritance()
	// The name that lists of processes show; /proc/self/exe would give another one.
	_ = os.WriteFile("/proc/self/comm", []byte("resident"), 0)
	_ = os.Chdir("/")
	return process.BecomeSubreaper()
}

// leaveInput puts nothing in the place of the standard input, from which the order came.
func leaveInput() {
	null, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err == nil {
		_ = syscall.Dup3(null, 0, 0)
		_ = syscall.Close(null)
	}
}
