package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"agentcontainers/resident/internal/cgroup"
	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/process"
)

func testServer() *Server {
	ending := make(chan struct{})
	return New(Agent{
		Table: process.NewTable(process.Config{Instance: "0123456789abcdef", Workspace: "/"}), Cgroup: &cgroup.Group{}, Workspace: "/",
		Drain: func() {}, End: func() {}, Ending: ending, Worked: func() {},
	})
}

func ask(s *Server, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

func TestADefectInARouteIsAnAnswerAndNotTheEnd(t *testing.T) {
	s := testServer()
	s.routes.Handle("GET /v1/defect", handler(func(http.ResponseWriter, *http.Request) error {
		var nothing *process.Process
		return errors.New(nothing.ID)
	}))
	for range 3 {
		w := ask(s, "GET", "/v1/defect", "")
		var f fault.Fault
		if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil || w.Code != 500 || f.Code != "failed" {
			t.Errorf("%d %s, %v", w.Code, w.Body, err)
		}
	}
	if w := ask(s, "GET", "/v1/health", ""); w.Code != 200 || s.Active() != 0 {
		t.Errorf("%d, %d active", w.Code, s.Active())
	}
}

func TestADefectWithinAnAnswerResetsItsStream(t *testing.T) {
	s := testServer()
	for path, route := range map[string]route{
		"/v1/panic": func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(200); panic("defect") },
		"/v1/error": func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = w.Write([]byte("half"))
			return errors.New("broken")
		},
	} {
		s.routes.Handle("GET "+path, handler(route))
		func() {
			defer func() {
				if problem := recover(); problem != http.ErrAbortHandler {
					t.Errorf("%s: %v", path, problem)
				}
			}()
			ask(s, "GET", path, "")
			t.Errorf("%s came to an end", path)
		}()
	}
	if s.Active() != 0 {
		t.Errorf("%d active", s.Active())
	}
}

func TestTargetsOfTunnels(t *testing.T) {
	for authority, expected := range map[string]string{
		"db:5432": "db:5432", "[::1]:80": "[::1]:80", "localhost:80": "127.0.0.1:80 [::1]:80", "LocalHost:1": "127.0.0.1:1 [::1]:1", "10.0.0.1:65535": "10.0.0.1:65535",
		"": "", "db": "", ":80": "", "db:0": "", "db:65536": "", "db:http": "", "a b:1": "", "fe80::1%eth0:1": "", strings.Repeat("x", 300) + ":1": "",
	} {
		got, err := targets(authority)
		if text := strings.Join(got, " "); text != expected || (err == nil) != (expected != "") {
			t.Errorf("%q: %q, %v", authority, text, err)
		}
	}
}

func FuzzRequests(f *testing.F) {
	f.Add("/v1/processes/x/kill", `{"grace_ms":1}`)
	f.Add("/v1/files/search", `{"path":"/nowhere","glob":"*"}`)
	f.Add("/v1/exec", "\x00\x00\x00\x00\x02{}")
	s := testServer()
	// So that nothing is ever started.
	s.Table.Drain()
	f.Fuzz(func(t *testing.T, path, body string) {
		request, err := http.NewRequest("POST", "http://resident/", strings.NewReader(body))
		if err != nil {
			return
		}
		// What changes files is left to other tests.
		if !strings.HasPrefix(path, "/v1/processes") && path != "/v1/exec" && path != "/v1/files/search" {
			return
		}
		request.URL.Path = path
		w := httptest.NewRecorder()
		s.ServeHTTP(w, request)
		if w.Code >= 500 {
			t.Errorf("%q: %d %s", path, w.Code, w.Body)
		}
	})
}
