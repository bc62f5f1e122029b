package proc

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"syscall"
)

// AsOwner calls read, which reads of a process, and once more as the owner of that when it is not permitted: root without the
// right to trace may not read the processes of others, their owner may.
func AsOwner(pid int, read func() error) error {
	err := read()
	if !errors.Is(err, os.ErrPermission) || os.Geteuid() != 0 {
		return err
	}
	var owner syscall.Stat_t
	if syscall.Stat("/proc/"+strconv.Itoa(pid), &owner) != nil || owner.Uid == 0 {
		return err
	}
	AsUser(int(owner.Uid), int(owner.Gid), func() { err = read() })
	return err
}

// AsUser calls read with the file system identity of another user, on a thread of its own: nothing else of this program
// runs with it. Only root can do it; for others read runs as it is.
func AsUser(uid, gid int, read func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		setFileSystemID(syscall.SYS_SETFSGID, gid)
		setFileSystemID(syscall.SYS_SETFSUID, uid)
		defer func() {
			setFileSystemID(syscall.SYS_SETFSUID, syscall.Geteuid())
			setFileSystemID(syscall.SYS_SETFSGID, syscall.Getegid())
			// A thread that did not come back to what it was ends with this goroutine.
			if fileSystemID(syscall.SYS_SETFSUID) == syscall.Geteuid() && fileSystemID(syscall.SYS_SETFSGID) == syscall.Getegid() {
				runtime.UnlockOSThread()
			}
		}()
		read()
	}()
	<-done
}

func setFileSystemID(call uintptr, id int) {
	_, _, _ = syscall.RawSyscall(call, uintptr(id), 0, 0)
}

// fileSystemID asks by a change to an id that nobody has, which the kernel refuses.
func fileSystemID(call uintptr) int {
	id, _, _ := syscall.RawSyscall(call, ^uintptr(0), 0, 0)
	return int(id)
}
