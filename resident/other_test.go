package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStatsAreTold(t *testing.T) {
	d, _ := fresh(t)
	got := d.call(200, "GET", "/v1/stats", nil)
	if rss := got["resident"].(map[string]any)["rss"].(float64); rss < 1<<20 || rss > 200<<20 {
		t.Errorf("%v", got)
	}
	for _, name := range []string{"memory", "cpu", "pids"} {
		if _, is := got[name].(map[string]any); !is {
			t.Errorf("%v", got)
		}
	}
}

func TestFilesAreWrittenReadAndFound(t *testing.T) {
	d, _ := fresh(t)
	folder, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	at := func(name string) string { return "path=" + url.QueryEscape(folder+"/"+name) }
	content := bytes.Repeat([]byte("0123456789abcde\n"), 200_000)
	info := d.call(200, "PUT", "/v1/files/write?mode=0640&parents=1&"+at("a/file"), bytes.NewReader(content))
	if info["size"] != float64(len(content)) || info["mode"] != "0640" || info["type"] != "file" {
		t.Errorf("%v", info)
	}
	read := func(query string) (string, http.Header) {
		response := d.request("GET", "/v1/files/read?"+query, nil)
		defer response.Body.Close()
		got, err := io.ReadAll(response.Body)
		must(t, err)
		return string(got), response.Header
	}
	if got, header := read(at("a/file")); got != string(content) || header.Get("x-size") != fmt.Sprint(len(content)) || header.Get("x-modified-at") != info["modified_at"] {
		t.Errorf("%d bytes, %v", len(got), header)
	}
	if got, _ := read("offset=10&length=8&" + at("a/file")); got != "abcde\n01" {
		t.Errorf("%q", got)
	}
	if got, _ := read("offset=99999999&" + at("a/file")); got != "" {
		t.Errorf("%q", got)
	}
	if got, _ := read("path=/proc/self/comm"); got != "resident\n" {
		t.Errorf("%q", got)
	}
	d.call(200, "POST", "/v1/files/mkdir", object{"path": folder + "/b/c", "mode": "0700", "parents": true})
	d.call(200, "POST", "/v1/files/move", object{"from": folder + "/a/file", "to": folder + "/b/file"})
	d.call(409, "PUT", "/v1/files/write?create_only=1&"+at("b/file"), "x")
	list := d.call(200, "GET", "/v1/files/list?"+at("b"), nil)
	if entries := list["entries"].([]any); len(entries) != 2 || list["truncated"] != false {
		t.Errorf("%v", list)
	}
	if got := d.call(200, "GET", "/v1/files/stat?"+at("b/c"), nil); got["mode"] != "0700" || got["type"] != "directory" {
		t.Errorf("%v", got)
	}
	response := d.request("POST", "/v1/files/search", object{"path": folder, "glob": "*ile", "text": "abc", "limit": 2})
	var found []string
	for {
		_, payload, err := frame(response.Body)
		if err == io.EOF {
			break
		}
		must(t, err)
		found = append(found, string(payload))
	}
	if text := strings.Join(found, " "); text != fmt.Sprintf(`{"path":"%[1]s/b/file","line":1,"column":11,"text":"0123456789abcde"} {"path":"%[1]s/b/file","line":2,"column":11,"text":"0123456789abcde"} {"done":true,"truncated":true}`, folder) {
		t.Error(text)
	}
	d.call(409, "POST", "/v1/files/remove", object{"path": folder + "/b"})
	d.call(204, "POST", "/v1/files/remove", object{"path": folder + "/b", "recursive": true})
	for path, status := range map[string]int{
		"GET /v1/files/stat?" + at("b"): 404, "GET /v1/files/stat": 400, "GET /v1/files/read?" + at(""): 400, "GET /v1/files/list?limit=10001&" + at(""): 400,
		"PUT /v1/files/write?mode=9&" + at("x"): 400, "POST /v1/files/search": 400, "GET /v1/files/read?offset=-1&" + at("x"): 400,
	} {
		method, rest, _ := strings.Cut(path, " ")
		d.call(status, method, rest, nil)
	}
	d.call(404, "POST", "/v1/files/search", object{"path": folder + "/none"})
	d.call(400, "POST", "/v1/files/search", object{"path": folder, "limit": 0})
}

func TestAnUploadThatBreaksOffLeavesNothing(t *testing.T) {
	d, _ := fresh(t)
	folder := t.TempDir()
	must(t, os.WriteFile(folder+"/file", []byte("before"), 0o600))
	from, to := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, "PUT", "http://resident/v1/files/write?path="+url.QueryEscape(folder+"/file"), from)
	must(t, err)
	go func() { _, _ = d.client.Do(request) }()
	_, err = to.Write(make([]byte, 100_000))
	must(t, err)
	left := func() int { entries, _ := os.ReadDir(folder); return len(entries) }
	eventually(t, "it is on its way", func() bool { return left() == 2 })
	cancel()
	eventually(t, "it is given up", func() bool { return left() == 1 })
	if content, _ := os.ReadFile(folder + "/file"); string(content) != "before" {
		t.Errorf("%q", content)
	}
}

func TestListenersAreToldWithTheirCommand(t *testing.T) {
	d, _ := fresh(t)
	response := d.request("GET", "/v1/events?ports=1", nil)
	_, payload, err := frame(response.Body)
	must(t, err)
	if !bytes.Contains(payload, []byte(`"ports":[`)) {
		t.Errorf("%s", payload)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	port := fmt.Sprintf(`"port":%d,`, listener.Addr().(*net.TCPAddr).Port)
	for !bytes.Contains(payload, []byte(port)) {
		_, payload, err = frame(response.Body)
		must(t, err)
	}
	if got, err := json.Marshal(d.call(200, "GET", "/v1/ports", nil)); err != nil || !bytes.Contains(got, []byte(fmt.Sprintf(`"pid":%d`, os.Getpid()))) {
		t.Errorf("%s, %v", got, err)
	}
}
