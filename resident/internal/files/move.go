package files

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"agentcontainers/resident/internal/fault"
)

// Move renames a file, a link itself or a directory. Between file systems it copies, which works for files and links alone.
func Move(from, to string, overwrite bool) (Info, error) {
	if from == "/" || to == "/" {
		return Info{}, fault.Invalid("the root directory is not moved")
	}
	var err error
	if overwrite {
		err = os.Rename(from, to)
	} else {
		err = renameNew(from, to)
	}
	if errors.Is(err, syscall.EXDEV) {
		err = moveAcross(from, to, overwrite)
	}
	if err != nil {
		return Info{}, fault.From("moving it", err)
	}
	return Stat(to)
}

func moveAcross(from, to string, replace bool) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	switch {
	case info.Mode().IsRegular():
		err = copyFile(from, to, info, replace)
	case info.Mode()&fs.ModeSymlink != 0:
		err = copyLink(from, to, replace)
	default:
		return fault.Invalid("only files and links can be moved to another file system")
	}
	if err != nil {
		return err
	}
	return os.Remove(from)
}

func copyFile(from, to string, info fs.FileInfo, replace bool) error {
	source, err := os.OpenFile(from, os.O_RDONLY|syscall.O_NOFOLLOW|asItIs, 0)
	if err != nil {
		return err
	}
	defer source.Close()
	temporary, err := createBeside(to)
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	defer temporary.Close()
	if err := transfer(temporary, source); err != nil {
		return err
	}
	// As a copy by a person: the owner stays where the kernel allows it.
	_ = sameOwner(temporary, info)
	if err := temporary.Chmod(info.Mode().Perm() | info.Mode()&(fs.ModeSetgid|fs.ModeSticky)); err != nil {
		return err
	}
	if err := os.Chtimes(temporary.Name(), info.ModTime(), info.ModTime()); err != nil {
		return err
	}
	if err := flush(temporary); err != nil {
		return err
	}
	if replace {
		return os.Rename(temporary.Name(), to)
	}
	return renameNew(temporary.Name(), to)
}

func copyLink(from, to string, replace bool) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	if !replace {
		return os.Symlink(target, to)
	}
	name, err := nameBeside(to)
	if err != nil {
		return err
	}
	if err := os.Symlink(target, name); err != nil {
		return err
	}
	defer os.Remove(name)
	return os.Rename(name, to)
}
