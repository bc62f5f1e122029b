package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"agentcontainers/resident/internal/frames"
)

// tunnel opens a connection through the agent.
func (d *daemon) tunnel(target string, framed bool) (*io.PipeWriter, *http.Response) {
	d.t.Helper()
	from, to := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	d.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, "CONNECT", "http://resident", from)
	must(d.t, err)
	request.Host = target
	if framed {
		request.Header.Set("x-frames", "1")
	}
	response, err := d.client.Transport.(*http.Transport).RoundTrip(request)
	must(d.t, err)
	return to, response
}

// serve answers each connection to a port of its own.
func serve(t *testing.T, with func(*net.TCPConn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go with(connection.(*net.TCPConn))
		}
	}()
	return listener.Addr().String()
}

func TestATunnelCarriesBytesAndTheEndOfInput(t *testing.T) {
	d, _ := fresh(t)
	echo := serve(t, func(c *net.TCPConn) {
		_, _ = io.Copy(c, c)
		_, _ = c.Write([]byte(" and the end"))
		c.Close()
	})
	content := bytes.Repeat([]byte("tunnel"), 500_000)
	for _, framed := range []bool{false, true} {
		to, response := d.tunnel(echo, framed)
		if response.StatusCode != 200 {
			t.Fatal(response.Status)
		}
		go func() {
			if !framed {
				_, _ = to.Write(content)
				to.Close()
				return
			}
			for rest := content; len(rest) > 0; {
				n := min(len(rest), 50_000)
				_, _ = to.Write(sent(frames.Stdout, rest[:n]))
				rest = rest[n:]
			}
			_, _ = to.Write(sent(frames.Stdout, nil))
		}()
		var got []byte
		if framed {
			s := &said{}
			must(t, s.all(response.Body))
			got = s.out.Bytes()
		} else {
			var err error
			got, err = io.ReadAll(response.Body)
			must(t, err)
		}
		if string(got) != string(content)+" and the end" {
			t.Errorf("framed %v: %d bytes", framed, len(got))
		}
	}
}

func TestInAFramedTunnelTheTargetCanEndFirst(t *testing.T) {
	d, _ := fresh(t)
	received := make(chan string, 1)
	target := serve(t, func(c *net.TCPConn) {
		_, _ = c.Write([]byte("all I say"))
		_ = c.CloseWrite()
		got, _ := io.ReadAll(c)
		received <- string(got)
		c.Close()
	})
	to, response := d.tunnel(target, true)
	s := &said{}
	for {
		kind, payload, err := frame(response.Body)
		must(t, err)
		if kind != frames.Stdout {
			t.Fatal(kind)
		}
		if len(payload) == 0 {
			break
		}
		s.out.Write(payload)
	}
	_, err := to.Write(append(sent(frames.Stdout, []byte("still heard")), sent(frames.Stdout, nil)...))
	must(t, err)
	if got := <-received; got != "still heard" || s.out.String() != "all I say" {
		t.Errorf("%q, %q", got, s.out.String())
	}
	must(t, s.all(response.Body))
}

func TestATunnelEndsWithEitherSide(t *testing.T) {
	d, _ := fresh(t)
	closed := make(chan struct{}, 1)
	target := serve(t, func(c *net.TCPConn) {
		_, _ = c.Write([]byte("hello"))
		_, _ = io.Copy(io.Discard, c)
		closed <- struct{}{}
		c.Close()
	})
	_, response := d.tunnel(target, false)
	_, err := io.ReadFull(response.Body, make([]byte, 5))
	must(t, err)
	response.Body.Close()
	<-closed
	short := serve(t, func(c *net.TCPConn) { _, _ = c.Write([]byte("bye")); c.Close() })
	_, response = d.tunnel(short, false)
	if got, err := io.ReadAll(response.Body); string(got) != "bye" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestATunnelToNowhereIsUnreachable(t *testing.T) {
	d, _ := fresh(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	nowhere := listener.Addr().String()
	listener.Close()
	_, response := d.tunnel(nowhere, false)
	got, _ := io.ReadAll(response.Body)
	if response.StatusCode != 502 || !bytes.Contains(got, []byte("unreachable")) {
		t.Errorf("%d %s", response.StatusCode, got)
	}
	_, response = d.tunnel("localhost:0", false)
	if response.StatusCode != 400 {
		t.Errorf("%d", response.StatusCode)
	}
}

func TestOpenTunnelsDoNotKeepAnAgent(t *testing.T) {
	d, root := fresh(t)
	target := serve(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c); c.Close() })
	_, response := d.tunnel(target, false)
	d.call(204, "POST", "/v1/shutdown", object{"grace_ms": 0})
	_, _ = io.ReadAll(response.Body)
	eventually(t, "it is gone", func() bool {
		left, _ := filepath.Glob(root + "/first/*.sock")
		return len(left) == 0
	})
}
