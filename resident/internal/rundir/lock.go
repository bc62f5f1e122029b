package rundir

import (
	"errors"
	"os"
	"syscall"
)

// ErrLocked says that another agent of this binary lives.
var ErrLocked = errors.New("another agent of this program runs already")

// Lock takes the lock of a binary. The file must stay open as long as the agent lives; its end, however it comes, gives the
// lock back. The lock file is never removed: two files of one name would be two locks.
func Lock(directory, digest string) (*os.File, error) {
	path := LockPath(directory, digest)
	for range 10 {
		fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o600)
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		file := os.NewFile(uintptr(fd), path)
		if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			file.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, ErrLocked
			}
			return nil, &os.PathError{Op: "flock", Path: path, Err: err}
		}
		if isAt(file, path) {
			return file, nil
		}
		// Someone removed the file in between: the lock has to be at the name.
		file.Close()
	}
	return nil, errors.New("the lock file does not stay in its place")
}

func isAt(file *os.File, path string) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(held, named)
}
