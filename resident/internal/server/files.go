package server

import (
	"io"
	"io/fs"
	"math"
	"net/http"
	"strconv"
	"time"

	"agentcontainers/resident/internal/carry"
	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/files"
	"agentcontainers/resident/internal/product"
)

const (
	// readBytes is how much of a file is sent at once.
	readBytes = 32 << 10
	// flushTime is how long matches of a search may wait to be sent.
	flushTime = 100 * time.Millisecond
)

// path reads the path of a query.
func (s *Server) path(r *http.Request) (string, error) {
	return files.Resolve(s.Workspace, r.URL.Query().Get("path"))
}

func (s *Server) fileStat(w http.ResponseWriter, r *http.Request) error {
	path, err := s.path(r)
	if err != nil {
		return err
	}
	return told200(w)(files.Stat(path))
}

// told200 answers with what was told of a file.
func told200(w http.ResponseWriter) func(files.Info, error) error {
	return func(info files.Info, err error) error {
		if err != nil {
			return err
		}
		return answer(w, http.StatusOK, info)
	}
}

func (s *Server) fileList(w http.ResponseWriter, r *http.Request) error {
	path, err := s.path(r)
	if err != nil {
		return err
	}
	limit, err := number(r, "limit", files.MaxEntries, 1, files.MaxEntries)
	if err != nil {
		return err
	}
	entries, truncated, err := files.List(path, int(limit))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, map[string]any{"entries": entries, "truncated": truncated})
}

func (s *Server) fileRead(w http.ResponseWriter, r *http.Request) error {
	path, err := s.path(r)
	if err != nil {
		return err
	}
	offset, err := number(r, "offset", 0, 0, math.MaxInt64)
	if err != nil {
		return err
	}
	length, err := number(r, "length", math.MaxInt64, 0, math.MaxInt64)
	if err != nil {
		return err
	}
	file, info, err := files.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if offset > 0 {
		if _, err := file.Seek(offset, io.SeekStart); err != nil {
			return fault.From("reading the file", err)
		}
	}
	w.Header().Set("content-type", "application/octet-stream")
	w.Header().Set("x-size", strconv.FormatInt(info.Size(), 10))
	w.Header().Set("x-modified-at", product.Time(info.ModTime()))
	w.WriteHeader(http.StatusOK)
	return carry.Bytes(io.LimitReader(file, length), readBytes, func(content []byte) error {
		_, err := w.Write(content)
		return err
	})
}

func (s *Server) fileWrite(w http.ResponseWriter, r *http.Request) error {
	path, err := s.path(r)
	if err != nil {
		return err
	}
	how := files.Writing{Mode: 0o644}
	if text := r.URL.Query().Get("mode"); text != "" {
		if how.Mode, err = files.ParseMode(text); err != nil {
			return err
		}
	}
	if how.Parents, err = flag(r, "parents"); err != nil {
		return err
	}
	if how.CreateOnly, err = flag(r, "create_only"); err != nil {
		return err
	}
	return told200(w)(files.Write(path, r.Body, how))
}

func (s *Server) fileMkdir(w http.ResponseWriter, r *http.Request) error {
	var request struct {
		Path    string  `json:"path"`
		Mode    *string `json:"mode"`
		Parents bool    `json:"parents"`
	}
	if err := decode(r, &request, false); err != nil {
		return err
	}
	path, err := files.Resolve(s.Workspace, request.Path)
	if err != nil {
		return err
	}
	var mode *fs.FileMode
	if request.Mode != nil {
		parsed, err := files.ParseMode(*request.Mode)
		if err != nil {
			return err
		}
		mode = &parsed
	}
	return told200(w)(files.MakeDirectory(path, mode, request.Parents))
}

func (s *Server) fileMove(w http.ResponseWriter, r *http.Request) error {
	var request struct {
		From      string `json:"from"`
		To        string `json:"to"`
		Overwrite bool   `json:"overwrite"`
	}
	if err := decode(r, &request, false); err != nil {
		return err
	}
	from, err := files.Resolve(s.Workspace, request.From)
	if err != nil {
		return err
	}
	to, err := files.Resolve(s.Workspace, request.To)
	if err != nil {
		return err
	}
	return told200(w)(files.Move(from, to, request.Overwrite))
}

func (s *Server) fileRemove(w http.ResponseWriter, r *http.Request) error {
	var request struct {
		Path      string `json:"path"`
		Recursive bool   `json:"recursive"`
	}
	if err := decode(r, &request, false); err != nil {
		return err
	}
	path, err := files.Resolve(s.Workspace, request.Path)
	if err != nil {
		return err
	}
	if err := files.Remove(path, request.Recursive); err != nil {
		return err
	}
	return noContent(w)
}

type searchEnd struct {
	Done      bool `json:"done"`
	Truncated bool `json:"truncated"`
}

func (s *Server) fileSearch(w http.ResponseWriter, r *http.Request) error {
	var request struct {
		Path  string `json:"path"`
		Glob  string `json:"glob"`
		Text  string `json:"text"`
		Limit *int   `json:"limit"`
	}
	if err := decode(r, &request, false); err != nil {
		return err
	}
	root, err := files.Resolve(s.Workspace, request.Path)
	if err != nil {
		return err
	}
	search := files.Search{Root: root, Glob: request.Glob, Text: request.Text, Limit: files.DefaultMatches}
	if request.Limit != nil {
		if search.Limit = *request.Limit; search.Limit < 1 || search.Limit > files.MaxMatches {
			return fault.Invalid("limit is not between 1 and %d", files.MaxMatches)
		}
	}
	// The answer begins with the first match: what is wrong with the request is known before.
	var out *frameWriter
	var flushed time.Time
	truncated, err := search.Run(r.Context(), func(m files.Match) error {
		if out == nil {
			out = newFrameWriter(w)
		}
		if err := out.json(m); err != nil {
			return err
		}
		if time.Since(flushed) > flushTime {
			flushed = time.Now()
			out.flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if out == nil {
		out = newFrameWriter(w)
	}
	return out.json(searchEnd{true, truncated})
}
