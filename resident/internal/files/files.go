// Package files works on files as the agent's user: what that may not touch is refused by the kernel.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/product"
)

const (
	// MaxEntries bounds a list.
	MaxEntries = 10_000
	maxPath    = 4096
	maxLinks   = 40
	listChunk  = 512
)

// asItIs opens what may be no regular file: it is not waited for, and a terminal does not become that of this program.
const asItIs = syscall.O_NONBLOCK | syscall.O_NOCTTY

// The types of files.
const (
	TypeFile      = "file"
	TypeDirectory = "directory"
	TypeLink      = "link"
	TypeOther     = "other"
)

// Info is what is told of a file. A link is told of itself, with its target.
type Info struct {
	Path       string  `json:"path"`
	Type       string  `json:"type"`
	Size       int64   `json:"size"`
	Mode       string  `json:"mode"`
	ModifiedAt string  `json:"modified_at"`
	UID        uint32  `json:"uid"`
	GID        uint32  `json:"gid"`
	Target     *string `json:"target,omitempty"`
}

// Resolve gives the absolute path for one that is absolute or relative to the workspace.
func Resolve(workspace, path string) (string, error) {
	if path == "" || len(path) > maxPath || strings.IndexByte(path, 0) >= 0 {
		return "", fault.Invalid("the path is empty, too long or has a zero byte")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join("/", workspace, path)
	}
	return filepath.Clean(path), nil
}

// Stat tells of one file.
func Stat(path string) (Info, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Info{}, fault.From("looking at the file", err)
	}
	return describe(path, info), nil
}

func describe(path string, info fs.FileInfo) Info {
	out := Info{
		Path: path, Type: TypeOther, Size: info.Size(), Mode: FormatMode(info.Mode()),
		ModifiedAt: product.Time(info.ModTime()),
	}
	switch {
	case info.Mode().IsRegular():
		out.Type = TypeFile
	case info.IsDir():
		out.Type = TypeDirectory
	case info.Mode()&fs.ModeSymlink != 0:
		out.Type = TypeLink
		if target, err := os.Readlink(path); err == nil {
			out.Target = &target
		}
	}
	if stat, is := info.Sys().(*syscall.Stat_t); is {
		out.UID, out.GID = stat.Uid, stat.Gid
	}
	return out
}

// special are the bits of a mode that Go has elsewhere.
var special = map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000}

// FormatMode gives four octal digits.
func FormatMode(mode fs.FileMode) string {
	bits := uint32(mode.Perm())
	for flag, bit := range special {
		if mode&flag != 0 {
			bits |= bit
		}
	}
	return fmt.Sprintf("%04o", bits)
}

// ParseMode reads three or four octal digits.
func ParseMode(text string) (fs.FileMode, error) {
	bits, err := strconv.ParseUint(text, 8, 16)
	if err != nil || len(text) < 3 || len(text) > 4 || bits > 0o7777 {
		return 0, fault.Invalid("the mode is not three or four octal digits")
	}
	mode := fs.FileMode(bits & 0o777)
	for flag, bit := range special {
		if uint32(bits)&bit != 0 {
			mode |= flag
		}
	}
	return mode, nil
}

// List tells of what is in a directory, by name. truncated says that there is more; which part is told is left open then.
func List(path string, limit int) (entries []Info, truncated bool, err error) {
	directory, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, false, fault.From("listing the directory", err)
	}
	defer directory.Close()
	var names []string
	for len(names) <= limit {
		some, err := directory.Readdirnames(listChunk)
		names = append(names, some...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, false, fault.From("listing the directory", err)
		}
	}
	if truncated = len(names) > limit; truncated {
		names = names[:limit]
	}
	slices.Sort(names)
	entries = make([]Info, 0, len(names))
	for _, name := range names {
		at := filepath.Join(path, name)
		// One that is gone by now is no error.
		if info, err := os.Lstat(at); err == nil {
			entries = append(entries, describe(at, info))
		}
	}
	return entries, truncated, nil
}

// Open opens a regular file for reading. It does not wait for what is none.
func Open(path string) (*os.File, fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|asItIs, 0)
	if err != nil {
		return nil, nil, fault.From("opening the file", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fault.Invalid("what is named is not a regular file")
	}
	if err != nil {
		file.Close()
		return nil, nil, fault.From("opening the file", err)
	}
	return file, info, nil
}

// MakeDirectory makes a directory. With parents, one that is there already is no error, and stays as it is.
func MakeDirectory(path string, mode *fs.FileMode, parents bool) (Info, error) {
	if parents {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return Info{}, fault.From("making the directories above", err)
		}
	}
	err := os.Mkdir(path, 0o755)
	if errors.Is(err, fs.ErrExist) && parents {
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
			return Stat(path)
		}
	}
	if err == nil && mode != nil {
		err = os.Chmod(path, *mode)
	}
	if err != nil {
		return Info{}, fault.From("making the directory", err)
	}
	return Stat(path)
}

// Remove removes a file, a link itself, or a directory; one that is not empty only with recursive.
func Remove(path string, recursive bool) error {
	if path == "/" {
		return fault.Invalid("the root directory is not removed")
	}
	if _, err := os.Lstat(path); err != nil {
		return fault.From("removing it", err)
	}
	var err error
	if recursive {
		err = os.RemoveAll(path)
	} else {
		err = os.Remove(path)
	}
	if err != nil {
		return fault.From("removing it", err)
	}
	return nil
}

// follow gives the place that a path leads to when its last part is a link, also one to nothing.
func follow(path string) (string, error) {
	for range maxLinks {
		target, err := os.Readlink(path)
		if errors.Is(err, syscall.EINVAL) || errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			path = filepath.Clean(target)
			continue
		}
		// What is above may be links too: `..` counts from where they lead.
		folder, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		path = filepath.Join(folder, target)
	}
	return "", syscall.ELOOP
}
