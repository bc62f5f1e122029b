package process

import (
	"os"
	"syscall"

	"agentcontainers/resident/internal/output"
	"agentcontainers/resident/internal/pipes"
)

// stdio is what a process gets as its descriptors 0 to 2, and our ends of them.
type stdio struct {
	// child are the descriptors for the process; they are closed once it has them.
	child    [3]int
	owned    []int
	input    *input
	streams  []*stream
	terminal *os.File
}

// openStdio makes the descriptors for a start. All are closed on exec: no other process gets them.
func openStdio(s *Start, who identity) (io *stdio, err error) {
	io = &stdio{}
	defer func() {
		if err != nil {
			io.close()
		}
	}()
	if s.TTY != nil {
		return io, io.openTerminal(*s.TTY, who)
	}
	if s.Stdin {
		read, write, err := pipe()
		if err != nil {
			return io, err
		}
		io.child[0], io.owned = read, append(io.owned, read)
		io.input = newInput(pipes.File(write, "stdin"), false)
	} else {
		null, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		if err != nil {
			return io, err
		}
		io.child[0], io.owned = null, append(io.owned, null)
	}
	if io.child[1], err = io.addStream(output.Stdout); err != nil {
		return io, err
	}
	if io.child[2] = io.child[1]; !s.Merged {
		if io.child[2], err = io.addStream(output.Stderr); err != nil {
			return io, err
		}
	}
	if who.switches {
		// A program that opens /dev/stdout again needs to own what is behind it.
		for _, fd := range io.owned {
			if fd != io.child[0] || s.Stdin {
				_ = syscall.Fchown(fd, int(who.UID), int(who.GID))
			}
		}
	}
	return io, nil
}

func (io *stdio) openTerminal(size Size, who identity) error {
	master, slave, err := openTerminal(size)
	if err != nil {
		return err
	}
	io.terminal, io.owned, io.child = master, []int{slave}, [3]int{slave, slave, slave}
	if who.switches {
		_ = syscall.Fchown(slave, int(who.UID), -1)
	}
	io.input = newInput(master, true)
	io.streams = []*stream{newStream(master, output.Stdout)}
	return nil
}

func (io *stdio) addStream(kind byte) (child int, err error) {
	read, write, err := pipe()
	if err != nil {
		return -1, err
	}
	io.owned = append(io.owned, write)
	io.streams = append(io.streams, newStream(pipes.File(read, "output"), kind))
	return write, nil
}

// releaseChild closes what only the process needs.
func (io *stdio) releaseChild() {
	for _, fd := range io.owned {
		syscall.Close(fd)
	}
	io.owned = nil
}

func (io *stdio) close() {
	io.releaseChild()
	if io.input != nil {
		io.input.file.Close()
	}
	for _, s := range io.streams {
		s.file.Close()
	}
}

func pipe() (read, write int, err error) {
	var ends [2]int
	err = syscall.Pipe2(ends[:], syscall.O_CLOEXEC)
	return ends[0], ends[1], err
}
