package proc

import (
	"runtime"
	"syscall"
)

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
