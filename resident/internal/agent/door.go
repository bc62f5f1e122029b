package agent

import (
	"net"
	"os"
	"sync"
	"time"

	"agentcontainers/resident/internal/greeting"
	"agentcontainers/resident/internal/guard"
	"agentcontainers/resident/internal/handover"
	"agentcontainers/resident/internal/rundir"
)

const (
	maxConnections = 16
	// maxWaiting bounds those that have not said their token yet; a new one takes the place of the oldest.
	maxWaiting = 16
	tokenTime  = 10 * time.Second
)

// door lets connections in that know the token. It is the listener of the HTTP server.
type door struct {
	listener *net.UnixListener
	token    string
	hello    greeting.Answer
	admitted chan net.Conn
	closed   chan struct{}
	once     sync.Once
	changed  func(connections int)
	// abandoned is called when somebody with another token wants in, and nobody who knows ours is there or will come back.
	// Nil: they may come back.
	abandoned func()

	mu          sync.Mutex
	connections int
	waiting     []net.Conn
}

// openDoor listens at the socket of a binary. Whoever holds the lock may replace a socket that was left behind. The socket
// appears at its name only when it can be connected to; nobody is let in before listen.
func openDoor(order *Order, hello greeting.Answer, changed func(int), abandoned func()) (*door, error) {
	path := rundir.SocketPath(order.Directory, order.Digest)
	temporary := path + "." + pidText()
	_ = os.Remove(temporary)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	if err = os.Chmod(temporary, 0o600); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		listener.Close()
		_ = os.Remove(temporary)
		return nil, err
	}
	d := &door{
		listener: listener, token: order.Greeting.Token, hello: hello, changed: changed, abandoned: abandoned,
		admitted: make(chan net.Conn), closed: make(chan struct{}),
	}
	return d, nil
}

func (d *door) listen() {
	for {
		connection, err := d.listener.AcceptUnix()
		if err != nil {
			select {
			case <-d.closed:
				return
			case <-time.After(100 * time.Millisecond):
				// Too many open files, for instance: they do not get fewer by asking at once.
				continue
			}
		}
		d.enter(connection)
		guard.Go(func() { d.greet(connection) })
	}
}

func (d *door) enter(connection net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) >= maxWaiting {
		d.waiting[0].Close()
		d.waiting = append(d.waiting[:0], d.waiting[1:]...)
	}
	d.waiting = append(d.waiting, connection)
}

// leave takes a connection off those that wait. It is false when it had to make room for another.
func (d *door) leave(connection net.Conn) bool {
	for i, waiting := range d.waiting {
		if waiting == connection {
			d.waiting = append(d.waiting[:i], d.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// greet reads the token and answers. Only who knows it learns more than that it was wrong.
func (d *door) greet(connection *net.UnixConn) {
	_ = connection.SetDeadline(time.Now().Add(tokenTime))
	token, err := readToken(connection)
	d.mu.Lock()
	waited := d.leave(connection)
	var refusal *greeting.Refusal
	switch {
	case err != nil || !waited:
		d.mu.Unlock()
		connection.Close()
		return
	case !greeting.SameToken(token, d.token) && d.abandoned != nil && d.connections == 0:
		d.mu.Unlock()
		// Not an answer: the other one asks again until this agent is gone, and starts its own then.
		d.abandoned()
		connection.Close()
		return
	case !greeting.SameToken(token, d.token):
		refusal = greeting.Refuse(greeting.CodeWrongToken, "the token is not that of this agent")
	case d.connections >= maxConnections:
		refusal = greeting.Refuse(greeting.CodeTooMany, "the agent has %d connections already", maxConnections)
	default:
		d.connections++
		d.changed(d.connections)
	}
	d.mu.Unlock()
	if refusal != nil {
		_, _ = connection.Write(greeting.Line(refusal))
		connection.Close()
		return
	}
	admitted := &counted{Conn: connection, door: d}
	if _, err := connection.Write(greeting.Line(d.hello)); err != nil {
		admitted.Close()
		return
	}
	// When it fails the socket is closed, and with it all that there is.
	if entered, err := handover.Take(connection); err == nil {
		admitted.Conn = entered
	} else {
		admitted.Close()
		return
	}
	select {
	case d.admitted <- admitted:
	case <-d.closed:
		admitted.Close()
	}
}

// readToken reads one line, and no byte of what comes after it.
func readToken(from net.Conn) (string, error) {
	line, err := greeting.ReadLine(singleBytes{from}, greeting.TokenLength)
	return string(line), err
}

type singleBytes struct{ from net.Conn }

func (s singleBytes) ReadByte() (byte, error) {
	var one [1]byte
	_, err := s.from.Read(one[:])
	return one[0], err
}

// Accept gives the next connection that was let in.
func (d *door) Accept() (net.Conn, error) {
	select {
	case connection := <-d.admitted:
		return connection, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Close lets nobody in any more.
func (d *door) Close() error {
	d.once.Do(func() {
		close(d.closed)
		d.listener.Close()
	})
	return nil
}

func (d *door) Addr() net.Addr { return d.listener.Addr() }

// counted is a connection that counts until it is closed.
type counted struct {
	net.Conn
	door *door
	once sync.Once
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.door.mu.Lock()
		defer c.door.mu.Unlock()
		c.door.connections--
		c.door.changed(c.door.connections)
	})
	return err
}
