// Package server answers the requests of the protocol.
package server

import (
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"agentcontainers/resident/internal/cgroup"
	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/process"
	"agentcontainers/resident/internal/product"
)

// Agent is what the server serves.
type Agent struct {
	Table     *process.Table
	Cgroup    *cgroup.Group
	Digest    string
	Instance  string
	Workspace string
	StartedAt time.Time
	// Drain lets the agent end as soon as nothing runs, End lets it end once what is under way has been answered.
	Drain func()
	End   func()
	// Ending is closed when the end has begun: what has no end of its own stops then.
	Ending <-chan struct{}
	// Worked is called after each request.
	Worked func()
}

// Server is the handler of all requests.
type Server struct {
	Agent
	routes *http.ServeMux
	active atomic.Int64
}

// Active is the number of requests that are being answered.
func (s *Server) Active() int64 { return s.active.Load() }

// route answers a request. Its error is answered as a fault; when the answer has begun the stream is reset.
type route func(w http.ResponseWriter, r *http.Request) error

// New makes the handler.
func New(agent Agent) *Server {
	s := &Server{Agent: agent, routes: http.NewServeMux()}
	for pattern, route := range map[string]route{
		"GET /v1/health":                 s.health,
		"POST /v1/exec":                  s.exec,
		"POST /v1/processes":             s.start,
		"GET /v1/processes":              s.list,
		"GET /v1/processes/{id}":         s.withProcess(s.get),
		"GET /v1/processes/{id}/output":  s.withProcess(s.output),
		"POST /v1/processes/{id}/attach": s.withProcess(s.attach),
		"POST /v1/processes/{id}/stdin":  s.withProcess(s.stdin),
		"POST /v1/processes/{id}/resize": s.withProcess(s.resize),
		"POST /v1/processes/{id}/signal": s.withProcess(s.signal),
		"POST /v1/processes/{id}/kill":   s.withProcess(s.kill),
		"DELETE /v1/processes/{id}":      s.forget,
		"PUT /v1/environment":            s.environment,
		"POST /v1/drain":                 s.drain,
		"POST /v1/shutdown":              s.shutdown,
		"GET /v1/events":                 s.events,
		"GET /v1/stats":                  s.stats,
		"GET /v1/ports":                  s.ports,
		"GET /v1/files/stat":             s.fileStat,
		"GET /v1/files/list":             s.fileList,
		"GET /v1/files/read":             s.fileRead,
		"PUT /v1/files/write":            s.fileWrite,
		"POST /v1/files/mkdir":           s.fileMkdir,
		"POST /v1/files/move":            s.fileMove,
		"POST /v1/files/remove":          s.fileRemove,
		"POST /v1/files/search":          s.fileSearch,
		"/":                              s.unknown,
	} {
		s.routes.Handle(pattern, handler(route))
	}
	return s
}

// ServeHTTP answers one request. Whatever goes wrong in it, the agent lives on.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	growStack()
	s.active.Add(1)
	defer func() {
		s.active.Add(-1)
		s.Worked()
	}()
	tracked := &tracker{ResponseWriter: w}
	defer func() {
		problem := recover()
		if problem == nil {
			return
		}
		if tracked.begun || problem == http.ErrAbortHandler {
			// The stream is reset: half an answer must not look like a whole one.
			panic(http.ErrAbortHandler)
		}
		refuse(w, fault.Failed("answering the request failed: the agent has a defect"))
	}()
	if r.Method == http.MethodConnect {
		handler(s.connect).ServeHTTP(tracked, r)
		return
	}
	s.routes.ServeHTTP(tracked, r)
}

// growStack makes the stack of a new goroutine as large as most requests need, while there is next to nothing on it. Grown
// step by step it would be copied each time, and cost a twelfth of what a command costs here.
//
//go:noinline
func growStack() {
	var frame [10 << 10]byte
	runtime.KeepAlive(&frame)
}

func handler(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := route(w, r)
		if err == nil {
			return
		}
		if tracked, is := w.(*tracker); is && tracked.begun {
			panic(http.ErrAbortHandler)
		}
		refuse(w, fault.From("answering the request", err))
	})
}

// tracker knows whether the answer has begun.
type tracker struct {
	http.ResponseWriter
	begun bool
}

func (t *tracker) WriteHeader(status int) {
	t.begun = true
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracker) Write(content []byte) (int, error) {
	t.begun = true
	return t.ResponseWriter.Write(content)
}

func (t *tracker) Flush() {
	t.begun = true
	if flusher, can := t.ResponseWriter.(http.Flusher); can {
		flusher.Flush()
	}
}

func (s *Server) unknown(_ http.ResponseWriter, r *http.Request) error {
	return fault.NotFound("there is no %s %.200s", r.Method, r.URL.Path)
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	running, busy, draining := s.Table.Counts()
	return answer(w, http.StatusOK, map[string]any{
		"protocol": product.Protocol, "version": product.Version, "digest": s.Digest, "instance": s.Instance, "pid": os.Getpid(),
		"uid": os.Geteuid(), "started_at": product.Time(s.StartedAt), "processes": running, "terminals": busy.Terminals,
		"draining": draining,
	})
}
