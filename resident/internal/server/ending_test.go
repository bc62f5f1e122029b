package server

import (
	"io"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"agentcontainers/resident/internal/process"
)

// patience is how long a test waits for what has to happen, also on a busy machine.
const patience = 20 * time.Second

// ending gives a server whose end begins with the returned function.
func ending() (s *Server, end func()) {
	s = testServer()
	begun := make(chan struct{})
	s.Ending = begun
	return s, func() { close(begun) }
}

// seen is an answer of which is told when it has begun.
type seen struct {
	*httptest.ResponseRecorder
	begun chan struct{}
}

func (s *seen) Flush() {
	select {
	case s.begun <- struct{}{}:
	default:
	}
}

func comes(t *testing.T, what string, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(patience):
		t.Fatalf("it does not come that %s", what)
	}
}

func TestATunnelWhoseTargetIsGoneEndsWithTheAgent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if connection, err := listener.Accept(); err == nil {
			connection.Close()
		}
	}()
	s, end := ending()
	from, to := io.Pipe()
	defer to.Close()
	request := httptest.NewRequest("CONNECT", "/", from)
	request.Host = listener.Addr().String()
	request.Header.Set(framesHeader, "1")
	// Once for the beginning, and once for the end of what the target says.
	w := &seen{httptest.NewRecorder(), make(chan struct{}, 2)}
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.ServeHTTP(w, request)
	}()
	comes(t, "it is connected", w.begun)
	comes(t, "the target has ended", w.begun)
	end()
	comes(t, "the tunnel ends", over)
}

func TestWhoWaitsForAProcessIsAnsweredWhenTheAgentEnds(t *testing.T) {
	s, end := ending()
	stop := make(chan struct{})
	defer close(stop)
	go s.Table.Reap(stop)
	p, _, _, err := s.Table.Start(&process.Start{Argv: []string{"/bin/sleep", "1000"}, Kind: process.KindExec}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Table.KillAll(0)
	end()
	for _, path := range []string{"", "/output"} {
		over := make(chan struct{})
		go func() {
			defer close(over)
			if w := ask(s, "GET", "/v1/processes/"+p.ID+path+"?wait=300000", ""); w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}()
		comes(t, "the answer is there", over)
	}
}
