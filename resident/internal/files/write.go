package files

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"agentcontainers/resident/internal/carry"
	"agentcontainers/resident/internal/fault"
)

// Writing says how a file is written. Mode is for a file that is new; one that is replaced keeps its own.
type Writing struct {
	Mode       fs.FileMode
	Parents    bool
	CreateOnly bool
}

const copyBytes = 64 << 10

// Write puts content in the place of a file, in one step: until then, and when content ends with an error, what was there
// stays. Where the place cannot be taken, as with a file of another owner or one that is mounted, what was there is written
// over instead, once all of content is there: what fails then leaves a part of it. A link is written through.
func Write(path string, content io.Reader, how Writing) (Info, error) {
	if how.Parents {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return Info{}, fault.From("making the directories above", err)
		}
	}
	target := path
	if !how.CreateOnly {
		var err error
		if target, err = follow(path); err != nil {
			return Info{}, fault.From("following the link", err)
		}
	}
	before, err := replaced(target, how.CreateOnly)
	if err != nil {
		return Info{}, err
	}
	temporary, err := createBeside(target)
	if err != nil {
		return Info{}, fault.From("making the file", err)
	}
	defer os.Remove(temporary.Name())
	defer temporary.Close()
	if err := transfer(temporary, content); err != nil {
		return Info{}, err
	}
	if err := place(temporary, target, before, how); err != nil {
		return Info{}, fault.From("writing the file", err)
	}
	return Stat(target)
}

// replaced tells of the file that is in the place, nil when there is none.
func replaced(target string, createOnly bool) (fs.FileInfo, error) {
	before, err := os.Lstat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fault.From("writing the file", err)
	case createOnly:
		return nil, fault.Conflict("there is a file of that name already")
	case !before.Mode().IsRegular():
		return nil, fault.Invalid("what is in the place is not a regular file")
	}
	return before, nil
}

func createBeside(target string) (*os.File, error) {
	name, err := nameBeside(target)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// nameBeside is a name in the directory of target that nobody has.
func nameBeside(target string) (string, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(target), ".agentcontainers-"+hex.EncodeToString(random[:])+".tmp"), nil
}

func transfer(to *os.File, content io.Reader) error {
	return carry.Bytes(content, copyBytes, func(some []byte) error {
		if _, err := to.Write(some); err != nil {
			return fault.From("writing the file", err)
		}
		return nil
	})
}

func place(temporary *os.File, target string, before fs.FileInfo, how Writing) error {
	mode := how.Mode
	if before != nil {
		mode = before.Mode().Perm() | before.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)
		if err := sameOwner(temporary, before); err != nil {
			// Only within the file itself can the owner stay.
			return overwrite(temporary, target)
		}
	}
	// After the owner: a change of that takes bits of the mode away.
	if err := temporary.Chmod(mode); err != nil {
		return err
	}
	if err := flush(temporary); err != nil {
		return err
	}
	if how.CreateOnly {
		return renameNew(temporary.Name(), target)
	}
	err := os.Rename(temporary.Name(), target)
	if errors.Is(err, syscall.EBUSY) && before != nil {
		// Something is mounted at the file: its place cannot be taken.
		return overwrite(temporary, target)
	}
	return err
}

func sameOwner(file *os.File, as fs.FileInfo) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	own, isOwn := info.Sys().(*syscall.Stat_t)
	wanted, isWanted := as.Sys().(*syscall.Stat_t)
	if !isOwn || !isWanted || own.Uid == wanted.Uid && own.Gid == wanted.Gid {
		return nil
	}
	return file.Chown(int(wanted.Uid), int(wanted.Gid))
}

// flush has a file written where it belongs, as its close does: some file systems tell only then that there is no space. The
// file stays open, and what was in its place is still there.
func flush(file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var copied uintptr
	var refused syscall.Errno
	err = raw.Control(func(fd uintptr) {
		copied, _, refused = syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0)
	})
	if err != nil {
		return err
	}
	if refused != 0 {
		return refused
	}
	return syscall.Close(int(copied))
}

// overwrite is for a file whose place cannot be taken. It is not done in one step: others can see a part.
func overwrite(temporary *os.File, target string) error {
	file, err := os.OpenFile(target, os.O_WRONLY|syscall.O_NOFOLLOW|asItIs, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := temporary.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := file.Truncate(0); err != nil {
		return err
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{file}, struct{ io.Reader }{temporary}, make([]byte, copyBytes)); err != nil {
		return err
	}
	return file.Close()
}

// renameNew renames, and fails when there is something at the new name.
func renameNew(from, to string) error {
	const noReplace = 1
	at := -100
	fromBytes, err := syscall.BytePtrFromString(from)
	if err != nil {
		return err
	}
	toBytes, err := syscall.BytePtrFromString(to)
	if err != nil {
		return err
	}
	_, _, number := syscall.Syscall6(
		sysRenameat2, uintptr(at), uintptr(unsafe.Pointer(fromBytes)), uintptr(at), uintptr(unsafe.Pointer(toBytes)), noReplace, 0)
	switch number {
	case 0:
		return nil
	case syscall.EINVAL, syscall.ENOSYS:
	default:
		return number
	}
	// The file system cannot do it in one step. A file can be linked, which fails in the same way.
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() {
		if err := os.Link(from, to); err == nil {
			return os.Remove(from)
		} else if errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if _, err := os.Lstat(to); err == nil {
		return syscall.EEXIST
	}
	return os.Rename(from, to)
}
