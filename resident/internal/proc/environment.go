package proc

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"syscall"
)

// maxEnvironment is above what the kernel lets a process start with.
const maxEnvironment = 16 << 20

// maxValue bounds a value that is asked for.
const maxValue = 4096

// IsVariable tells whether a process can have a variable of this name and value.
func IsVariable(name, value string) bool {
	return name != "" && !strings.ContainsAny(name, "=\x00") && strings.IndexByte(value, 0) < 0
}

// Variable gives the value that a variable had when a process began. It is not found when the process cannot be read.
func Variable(pid int, name string) (value string, found bool) {
	path := "/proc/" + strconv.Itoa(pid) + "/environ"
	_ = AsOwner(pid, func() error { return readVariable(path, name, &value, &found) })
	return value, found
}

func readVariable(path, name string, value *string, found *bool) error {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	*value, *found, err = FindVariable(fdReader(fd), name)
	return err
}

type fdReader int

func (fd fdReader) Read(into []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), into)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// FindVariable finds `name=value` among strings that end with a zero byte. It holds only what it needs.
func FindVariable(from io.Reader, name string) (value string, found bool, err error) {
	prefix := []byte(name + "=")
	buffer := make([]byte, 4096)
	var current []byte
	skipping := false
	for total := 0; total < maxEnvironment; {
		n, err := from.Read(buffer)
		total += n
		for rest := buffer[:n]; len(rest) > 0; {
			part, after, ended := bytes.Cut(rest, []byte{0})
			rest = after
			if !skipping {
				current = append(current, part...)
				skipping = !couldBe(current, prefix)
			}
			if ended {
				if !skipping && bytes.HasPrefix(current, prefix) {
					return string(current[len(prefix):]), true, nil
				}
				current, skipping = current[:0], false
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", false, err
		}
	}
	// The last string of a process that wrote over its environment may have no end.
	if !skipping && bytes.HasPrefix(current, prefix) {
		return string(current[len(prefix):]), true, nil
	}
	return "", false, nil
}

func couldBe(current, prefix []byte) bool {
	n := min(len(current), len(prefix))
	return bytes.Equal(current[:n], prefix[:n]) && len(current) <= len(prefix)+maxValue
}
