package process

import (
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// What golang.org/x/sys has and the standard library has not. The numbers are those of all platforms we build for.
const (
	tiocgptpeer = 0x5441
	tiocinq     = 0x541b
	iutf8       = 0x4000
)

// openTerminal makes a pseudo terminal. The file of the master is ready for the poller; the slave is a descriptor for the child.
func openTerminal(size Size) (master *os.File, slave int, err error) {
	const flags = syscall.O_RDWR | syscall.O_NOCTTY | syscall.O_CLOEXEC
	fd, err := syscall.Open("/dev/ptmx", flags|syscall.O_NONBLOCK, 0)
	if err != nil {
		if fd, err = syscall.Open("/dev/pts/ptmx", flags|syscall.O_NONBLOCK, 0); err != nil {
			return nil, -1, err
		}
	}
	slave = -1
	defer func() {
		if err != nil {
			syscall.Close(fd)
			if slave >= 0 {
				syscall.Close(slave)
			}
		}
	}()
	var unlock, number int32
	if err = ioctl(fd, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock)); err != nil {
		return nil, -1, err
	}
	// The peer is reached also where /dev/pts is not the file system of the master.
	if slave, err = ioctlValue(fd, tiocgptpeer, flags); err != nil {
		if err = ioctl(fd, syscall.TIOCGPTN, unsafe.Pointer(&number)); err != nil {
			return nil, -1, err
		}
		if slave, err = syscall.Open("/dev/pts/"+strconv.Itoa(int(number)), flags, 0); err != nil {
			return nil, -1, err
		}
	}
	var settings syscall.Termios
	if ioctl(slave, syscall.TCGETS, unsafe.Pointer(&settings)) == nil {
		// So that erasing a character erases all its bytes.
		settings.Iflag |= iutf8
		_ = ioctl(slave, syscall.TCSETS, unsafe.Pointer(&settings))
	}
	if err = setSize(fd, size); err != nil {
		return nil, -1, err
	}
	return os.NewFile(uintptr(fd), "terminal"), slave, nil
}

func setSize(fd int, size Size) error {
	value := [4]uint16{uint16(size.Height), uint16(size.Width)}
	return ioctl(fd, syscall.TIOCSWINSZ, unsafe.Pointer(&value))
}

// endOfFile is the character that a terminal takes as the end of its input.
func endOfFile(fd int) byte {
	var settings syscall.Termios
	if ioctl(fd, syscall.TCGETS, unsafe.Pointer(&settings)) == nil && settings.Cc[syscall.VEOF] != 0 {
		return settings.Cc[syscall.VEOF]
	}
	return 4
}

// waiting is the number of bytes that can be read at once.
func waiting(fd int) int64 {
	var n int32
	if ioctl(fd, tiocinq, unsafe.Pointer(&n)) != nil || n < 0 {
		return 0
	}
	return int64(n)
}

const (
	pollError  = 0x8
	pollHangUp = 0x10
)

// hungUp tells whether the other end is closed; there may still be something to read.
func hungUp(fd int) bool { return pollNow(fd)&pollHangUp != 0 }

// readerGone tells, of the writing end of a pipe, whether nobody can read it any more.
func readerGone(fd int) bool { return pollNow(fd)&pollError != 0 }

func pollNow(fd int) int16 {
	poll := struct {
		fd              int32
		events, revents int16
	}{fd: int32(fd)}
	var now syscall.Timespec
	_, _, number := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	if number != 0 {
		return 0
	}
	return poll.revents
}

func ioctl(fd int, request uintptr, argument unsafe.Pointer) error {
	if _, _, number := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(argument)); number != 0 {
		return number
	}
	return nil
}

func ioctlValue(fd int, request, argument uintptr) (int, error) {
	result, _, number := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, argument)
	if number != 0 {
		return -1, number
	}
	return int(result), nil
}
