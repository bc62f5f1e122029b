package handover

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"agentcontainers/resident/internal/guard"
	"agentcontainers/resident/internal/pipes"
)

// bulkBytes is what only large output writes at once. For that the pipe to the engine is made large, for as long.
const bulkBytes = 64 << 10

// largePipeTime is how long nothing large is written until the pipe is made small again.
var largePipeTime = 5 * time.Second

// prefixed is a connection of which the first bytes were read already.
type prefixed struct {
	net.Conn
	rest []byte
}

func (p *prefixed) Read(into []byte) (int, error) {
	if len(p.rest) == 0 {
		return p.Conn.Read(into)
	}
	n := copy(into, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// connection reads the standard input of `connect` and writes its standard output. It ends with the socket between us.
type connection struct {
	// Conn is that socket.
	net.Conn
	input  *os.File
	output *os.File
	rest   []byte
	once   sync.Once

	mu sync.Mutex
	// shrinking says that there is a timer for the pipe, bulk that much was written since it was set.
	shrinking bool
	bulk      bool
}

func newConnection(socket *net.UnixConn, input, output int, rest []byte) *connection {
	c := &connection{Conn: socket, input: pipes.File(input, "input"), output: pipes.File(output, "output"), rest: rest}
	guard.Go(func() {
		// `connect` says nothing more: it is its end that comes.
		_, _ = socket.Read(make([]byte, 1))
		c.Close()
	})
	return c
}

func (c *connection) Read(into []byte) (int, error) {
	if len(c.rest) > 0 {
		n := copy(into, c.rest)
		if c.rest = c.rest[n:]; len(c.rest) == 0 {
			c.rest = nil
		}
		return n, nil
	}
	return c.input.Read(into)
}

func (c *connection) Write(content []byte) (int, error) {
	if len(content) >= bulkBytes {
		c.enlarge()
	}
	return c.output.Write(content)
}

// Close ends `connect` as well.
func (c *connection) Close() (err error) {
	c.once.Do(func() {
		c.input.Close()
		c.output.Close()
		err = c.Conn.Close()
	})
	return err
}

func (c *connection) SetDeadline(at time.Time) error {
	_ = c.input.SetReadDeadline(at)
	return c.output.SetWriteDeadline(at)
}
func (c *connection) SetReadDeadline(at time.Time) error  { return c.input.SetReadDeadline(at) }
func (c *connection) SetWriteDeadline(at time.Time) error { return c.output.SetWriteDeadline(at) }

func (c *connection) enlarge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bulk = true
	if !c.shrinking {
		c.shrinking = true
		c.resize(pipes.Large)
		c.shrinkLater()
	}
}

// shrinkLater needs the lock.
func (c *connection) shrinkLater() {
	c.bulk = false
	time.AfterFunc(largePipeTime, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		// There may be more in it than a small one holds: it has to be read before.
		if c.bulk || c.resize(pipes.Small) == syscall.EBUSY {
			c.shrinkLater()
			return
		}
		c.shrinking = false
	})
}

// resize may be refused; the pipe stays as it is then. 0 also when the pipe is closed.
func (c *connection) resize(bytes int) (refused syscall.Errno) {
	if raw, err := c.output.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { refused = pipes.Resize(fd, bytes) })
	}
	return refused
}
