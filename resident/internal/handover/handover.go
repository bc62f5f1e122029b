// Package handover gives the standard input and output of `connect` to the agent, which then speaks to the engine without
// anybody between them. Both ends of it are here.
//
// An agent that has let `connect` in says in its answer that it can do this. `connect` passes the answer on, and attaches
// the two to its next message: four bytes length, and so many that it has read too much. From then on it only waits. The
// socket stays open between them: when either ends, the other one learns of it. Nothing is attached before the answer:
// what waits in the socket of an agent that does not read stays open, whatever becomes of `connect`.
package handover

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"agentcontainers/resident/internal/pipes"
)

const (
	// maxRest bounds what `connect` may have read too much. With it the first byte of a length is 0, with which HTTP/2 does
	// not begin.
	maxRest     = 64 << 10
	lengthBytes = 4
)

var errUnexpected = errors.New("what was handed over is not what was expected")

// Possible tells whether these can be handed over: both must be pipes.
func Possible(input, output int) bool { return pipes.Is(input) && pipes.Is(output) }

// Give hands standard input and output over, after what was read too much of the input.
func Give(to *net.UnixConn, input, output int, rest []byte) error {
	if len(rest) > maxRest {
		return errUnexpected
	}
	message := append(binary.BigEndian.AppendUint32(nil, uint32(len(rest))), rest...)
	// A message that is longer than the socket holds goes in parts, what is attached with the first.
	n, _, err := to.WriteMsgUnix(message[:lengthBytes], syscall.UnixRights(input, output), nil)
	if err != nil || n != lengthBytes {
		return errors.Join(errUnexpected, err)
	}
	_, err = to.Write(message[lengthBytes:])
	return err
}

// Take waits for the first bytes after the answer, at most to the deadline of the socket, which it takes off. It gives what
// HTTP/2 is spoken on: what was handed over, or else the socket.
func Take(socket *net.UnixConn) (net.Conn, error) {
	first, attached, err := readFirst(socket)
	if err == nil && first != 0 {
		closeAll(attached)
		return &prefixed{socket, []byte{first}}, socket.SetDeadline(time.Time{})
	}
	var rest []byte
	if err == nil {
		rest, err = readRest(socket)
	}
	if err == nil && (len(attached) != 2 || !Possible(attached[0], attached[1])) {
		err = errUnexpected
	}
	if err == nil {
		err = socket.SetDeadline(time.Time{})
	}
	if err != nil {
		closeAll(attached)
		return nil, err
	}
	return newConnection(socket, attached[0], attached[1], rest), nil
}

func readFirst(from *net.UnixConn) (first byte, attached []int, err error) {
	var one [1]byte
	var control [64]byte
	n, length, _, _, err := from.ReadMsgUnix(one[:], control[:])
	if err != nil {
		return 0, nil, err
	}
	messages, _ := syscall.ParseSocketControlMessage(control[:length])
	for _, message := range messages {
		if fds, err := syscall.ParseUnixRights(&message); err == nil {
			attached = append(attached, fds...)
		}
	}
	if n == 0 {
		err = io.EOF
	}
	return one[0], attached, err
}

// readRest is called after the first byte of the length, which was 0.
func readRest(from io.Reader) ([]byte, error) {
	var length [lengthBytes]byte
	if _, err := io.ReadFull(from, length[1:]); err != nil {
		return nil, err
	}
	bytes := binary.BigEndian.Uint32(length[:])
	if bytes > maxRest {
		return nil, errUnexpected
	}
	rest := make([]byte, bytes)
	_, err := io.ReadFull(from, rest)
	return rest, err
}

func closeAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}
