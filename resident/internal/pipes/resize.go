package pipes

import "syscall"

const (
	// Large lets the stages of a way go on without waiting for each other.
	Large = 1 << 20
	// Small is what a pipe has by itself. All pipes of a user share what the kernel gives them, so what is not needed any more
	// is given back.
	Small = 64 << 10
)

const setPipeSize = 1031 // F_SETPIPE_SZ

// Resize may be refused, and the pipe stays as it is then: with EPERM where the user has had enough, and with EBUSY while
// there is more in it than that.
func Resize(fd uintptr, bytes int) syscall.Errno {
	_, _, refused := syscall.Syscall(syscall.SYS_FCNTL, fd, setPipeSize, uintptr(bytes))
	return refused
}
