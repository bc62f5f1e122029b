package server

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/process"
)

// maxRequest bounds a request of JSON.
const maxRequest = 1 << 20

// answer writes a whole answer of JSON.
func answer(w http.ResponseWriter, status int, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(content)
	return err
}

func refuse(w http.ResponseWriter, f *fault.Fault) {
	_ = answer(w, f.Status, f)
}

func noContent(w http.ResponseWriter) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// body reads a whole request of at most maxRequest bytes.
func body(r *http.Request) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxRequest {
		return nil, fault.TooLarge("the request has more than %d bytes", maxRequest)
	}
	return content, nil
}

// decode reads a request of JSON. Nothing at all counts as an empty object where that is said.
func decode(r *http.Request, into any, optional bool) error {
	content, err := body(r)
	if err != nil {
		return err
	}
	if optional && len(content) == 0 {
		return nil
	}
	return process.DecodeJSON(content, into)
}

// number reads a number from the query.
func number(r *http.Request, name string, otherwise, low, high int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < low || value > high {
		return 0, fault.Invalid("%s is not a number between %d and %d", name, low, high)
	}
	return value, nil
}

// flag reads 0 or 1 from the query.
func flag(r *http.Request, name string) (bool, error) {
	switch r.URL.Query().Get(name) {
	case "", "0":
		return false, nil
	case "1":
		return true, nil
	}
	return false, fault.Invalid("%s is neither 0 nor 1", name)
}
