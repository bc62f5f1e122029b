package connect

import (
	"bufio"
	"io"
	"os"
	"syscall"

	"agentcontainers/resident/internal/guard"
	"agentcontainers/resident/internal/handover"
	"agentcontainers/resident/internal/pipes"
)

// relayBytes is what of one direction is carried at once, and held at most.
const relayBytes = 256 << 10

// relay copies until the agent has closed the connection, or nobody takes what it says. The end of our input is passed on.
func relay(input *bufio.Reader, f *found) {
	guard.Go(func() {
		_, _ = io.CopyBuffer(onlyWriter{f.connection}, onlyReader{input}, make([]byte, relayBytes))
		_ = f.connection.CloseWrite()
	})
	_ = pipes.Resize(os.Stdout.Fd(), pipes.Large)
	_, _ = io.CopyBuffer(onlyWriter{os.Stdout}, onlyReader{f.from}, make([]byte, relayBytes))
	f.connection.Close()
}

// wait lets the agent speak for itself, until it or the connection has ended. It is false when it cannot: then not a byte was
// carried.
func wait(input *bufio.Reader, f *found) (given bool) {
	rest, _ := input.Peek(input.Buffered())
	if handover.Give(f.connection, syscall.Stdin, syscall.Stdout, rest) != nil {
		return false
	}
	// The end of the pipes is that of the agent's.
	os.Stdin.Close()
	os.Stdout.Close()
	_, _ = f.from.ReadByte()
	return true
}

// onlyReader and onlyWriter hide what would copy in other ways, and hold other buffers.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }
