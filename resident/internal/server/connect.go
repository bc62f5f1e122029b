package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"agentcontainers/resident/internal/carry"
	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/frames"
	"agentcontainers/resident/internal/guard"
)

const (
	dialTime    = 10 * time.Second
	maxHost     = 255
	tunnelBytes = 32 << 10
	// framesHeader asks for frames in a tunnel: with them the end of one direction can be told while the other goes on.
	framesHeader = "x-frames"
)

// connect carries bytes to and from a port that can be reached from here.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) error {
	addresses, err := targets(r.Host)
	if err != nil {
		return err
	}
	framed := r.Header.Get(framesHeader) == "1"
	connection, err := dialAny(r.Context(), addresses)
	if err != nil {
		return fault.Unreachable("connecting to %s failed: %s", r.Host, dialReason(err))
	}
	defer connection.Close()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	// Whatever ends this ends both directions.
	defer context.AfterFunc(ctx, func() { connection.Close() })()
	guard.Go(func() {
		select {
		case <-s.Ending:
			cancel()
		case <-ctx.Done():
		}
	})
	out := newFrameWriter(w)
	out.flush()
	sent := make(chan struct{})
	guard.Go(func() {
		defer close(sent)
		if err := upstream(connection, r.Body, framed); err != nil {
			cancel()
		}
	})
	if err := downstream(out, connection, framed); err != nil {
		return err
	}
	if framed {
		// The caller may say nothing more, and not leave either: that holds nobody up.
		select {
		case <-sent:
		case <-ctx.Done():
		}
	}
	return nil
}

// upstream carries what the caller sends, and its end.
func upstream(to *net.TCPConn, from io.Reader, framed bool) error {
	if !framed {
		err := carry.Bytes(from, tunnelBytes, func(content []byte) error { _, err := to.Write(content); return err })
		if err != nil {
			return err
		}
		return to.CloseWrite()
	}
	reader := frames.NewReader(from)
	for {
		kind, payload, err := reader.Next()
		if err != nil {
			// A request that ends without its last frame was given up.
			return err
		}
		if kind != frames.Stdout {
			return &frames.Malformed{Reason: "a tunnel has frames of kind 1 alone"}
		}
		if len(payload) == 0 {
			return to.CloseWrite()
		}
		if _, err := to.Write(payload); err != nil {
			return err
		}
	}
}

// downstream carries what the target sends, and its end.
func downstream(out *frameWriter, from *net.TCPConn, framed bool) error {
	err := carry.Bytes(from, tunnelBytes, func(content []byte) error {
		if framed {
			var header [frames.HeaderBytes]byte
			frames.PutHeader(header[:], frames.Stdout, len(content))
			if _, err := out.w.Write(header[:]); err != nil {
				return err
			}
		}
		_, err := out.w.Write(content)
		out.flush()
		return err
	})
	if err == nil && framed {
		_, err = out.w.Write([]byte{frames.Stdout, 0, 0, 0, 0})
		out.flush()
	}
	return err
}

// targets gives the addresses to try. localhost needs no file to be known.
func targets(authority string) ([]string, error) {
	host, port, err := net.SplitHostPort(authority)
	number, numberErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numberErr != nil || number == 0 || host == "" || len(host) > maxHost || strings.ContainsAny(host, "%/\x00 ") {
		return nil, fault.Invalid("the target is not <host>:<port>")
	}
	if strings.EqualFold(host, "localhost") {
		return []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}, nil
	}
	return []string{authority}, nil
}

func dialAny(ctx context.Context, addresses []string) (connection *net.TCPConn, err error) {
	dialer := net.Dialer{Timeout: dialTime, KeepAlive: -1}
	for _, address := range addresses {
		opened, dialErr := dialer.DialContext(ctx, "tcp", address)
		if dialErr != nil {
			// The first address is the one that people mean.
			if err == nil {
				err = dialErr
			}
			continue
		}
		if tcp, is := opened.(*net.TCPConn); is {
			return tcp, nil
		}
		opened.Close()
	}
	return nil, err
}

func dialReason(err error) string {
	var unknown *net.DNSError
	if errors.As(err, &unknown) {
		return "there is no such host"
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "it does not answer"
	}
	return fault.Reason(err)
}
