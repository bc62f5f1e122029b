package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"agentcontainers/resident/internal/frames"
	"agentcontainers/resident/internal/process"
)

// said is what came in frames.
type said struct {
	out, err bytes.Buffer
	messages []message
}

type message struct {
	Offset  *int64        `json:"offset"`
	Process *process.Info `json:"process"`
	Type    string        `json:"type"`
}

func (s *said) last() message { return s.messages[len(s.messages)-1] }

// frame reads one frame of an answer.
func frame(from io.Reader) (kind byte, payload []byte, err error) {
	var header [frames.HeaderBytes]byte
	if _, err = io.ReadFull(from, header[:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, int(header[1])<<24|int(header[2])<<16|int(header[3])<<8|int(header[4]))
	_, err = io.ReadFull(from, payload)
	return header[0], payload, err
}

// take reads one frame into what was said.
func (s *said) take(from io.Reader) error {
	kind, payload, err := frame(from)
	if err != nil {
		return err
	}
	switch kind {
	case frames.JSON:
		var m message
		if err := json.Unmarshal(payload, &m); err != nil {
			return err
		}
		s.messages = append(s.messages, m)
	case frames.Stderr:
		s.err.Write(payload)
	default:
		s.out.Write(payload)
	}
	return nil
}

func (s *said) all(from io.Reader) error {
	for {
		if err := s.take(from); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func sent(kind byte, payload []byte) []byte {
	out := make([]byte, frames.HeaderBytes, frames.HeaderBytes+len(payload))
	frames.PutHeader(out, kind, len(payload))
	return append(out, payload...)
}

// exec runs a start to its end.
func (d *daemon) exec(start any) *said {
	d.t.Helper()
	content, err := json.Marshal(start)
	must(d.t, err)
	response := d.request("POST", "/v1/exec", bytes.NewReader(sent(frames.JSON, content)))
	defer response.Body.Close()
	if response.StatusCode != 200 {
		text, _ := io.ReadAll(response.Body)
		d.t.Fatalf("%d %s", response.StatusCode, text)
	}
	s := &said{}
	must(d.t, s.all(response.Body))
	return s
}

// stream opens a request whose body stays open.
func (d *daemon) stream(method, path string) (body *io.PipeWriter, response *http.Response) {
	d.t.Helper()
	from, to := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	d.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, "http://resident"+path, from)
	must(d.t, err)
	response, err = d.client.Do(request)
	must(d.t, err)
	return to, response
}

// execOpen begins a start and keeps its input open.
func (d *daemon) execOpen(start any) (body *io.PipeWriter, response *http.Response) {
	d.t.Helper()
	content, err := json.Marshal(start)
	must(d.t, err)
	from, to := io.Pipe()
	go func() { _, _ = to.Write(sent(frames.JSON, content)) }()
	request, err := http.NewRequest("POST", "http://resident/v1/exec", from)
	must(d.t, err)
	response, err = d.client.Do(request)
	must(d.t, err)
	return to, response
}

type object = map[string]any

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come that %s", what)
		}
	}
}
