// Package proc reads what the kernel tells about processes in /proc.
package proc

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"syscall"
)

// Stat is what is needed of /proc/<pid>/stat.
type Stat struct {
	PID     int
	Name    string
	State   byte
	Parent  int
	Group   int
	Session int
	// Start is in clock ticks since the system's start; with the pid it names a process for good.
	Start uint64
}

// Ended tells whether the process is only waiting to be reaped.
func (s Stat) Ended() bool { return s.State == 'Z' || s.State == 'X' || s.State == 'x' }

// ErrMalformed is the error of a file of /proc that is not as documented.
var ErrMalformed = errors.New("the file of /proc is malformed")

// ParseStat reads the content of a stat file. The name can hold anything, also spaces and parentheses.
func ParseStat(content []byte) (Stat, error) {
	var s Stat
	open, end := bytes.IndexByte(content, '('), bytes.LastIndexByte(content, ')')
	if open < 2 || end < open {
		return s, ErrMalformed
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(content[:open])))
	if err != nil || pid < 1 {
		return s, ErrMalformed
	}
	fields := bytes.Fields(content[end+1:])
	// The fields are those from the third of proc(5) on.
	if len(fields) < 20 || len(fields[0]) != 1 {
		return s, ErrMalformed
	}
	s.PID, s.Name, s.State = pid, string(content[open+1:end]), fields[0][0]
	for index, into := range map[int]*int{1: &s.Parent, 2: &s.Group, 3: &s.Session} {
		if *into, err = strconv.Atoi(string(fields[index])); err != nil {
			return s, ErrMalformed
		}
	}
	if s.Start, err = strconv.ParseUint(string(fields[19]), 10, 64); err != nil {
		return s, ErrMalformed
	}
	return s, nil
}

// ReadStat reads the stat file of one process.
func ReadStat(pid int) (Stat, error) {
	content, err := readSmall("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Stat{}, err
	}
	return ParseStat(content)
}

// IsGone tells of the error of a file of a process whether the process is not there any more.
func IsGone(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) }

// List reads the stat files of all processes that can be seen.
func List() ([]Stat, error) {
	directory, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	names, err := directory.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	stats := make([]Stat, 0, len(names)/2)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		stat, err := ReadStat(pid)
		switch {
		case err == nil:
			stats = append(stats, stat)
		case !IsGone(err) && !errors.Is(err, os.ErrPermission) && !errors.Is(err, ErrMalformed):
			// It may be there all the same: without it the list would say that it is not.
			return nil, err
		}
	}
	return stats, nil
}

// readSmall reads a file that the kernel writes in one go, without the poller that os.File would ask in vain.
func readSmall(path string) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	var buffer [4096]byte
	n, err := fdReader(fd).Read(buffer[:])
	if err != nil && err != io.EOF {
		return nil, err
	}
	return bytes.Clone(buffer[:n]), nil
}

// ReadFile reads a file of the kernel that may come in several parts, up to a bound, in the same way.
func ReadFile(path string, most int64) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	return io.ReadAll(io.LimitReader(fdReader(fd), most))
}
