// Package pipes is what is done with pipes at more than one place.
package pipes

import (
	"os"
	"syscall"
)

// Is tells whether a descriptor is a pipe.
func Is(fd int) bool {
	var stat syscall.Stat_t
	return syscall.Fstat(fd, &stat) == nil && stat.Mode&syscall.S_IFMT == syscall.S_IFIFO
}

// File makes a file that waits in the poller and not in a thread. The other end of the pipe stays as it is.
func File(fd int, name string) *os.File {
	_ = syscall.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), name)
}
