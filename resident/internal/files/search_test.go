package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	for name, content := range files {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(root, name), []byte(content), 0o644))
	}
	return root
}

func search(t *testing.T, s Search) (found string, truncated bool) {
	t.Helper()
	if s.Limit == 0 {
		s.Limit = DefaultMatches
	}
	var out []string
	truncated, err := s.Run(context.Background(), func(m Match) error {
		text, err := filepath.Rel(s.Root, m.Path)
		if m.Line > 0 {
			text += fmt.Sprintf(":%d:%d:%s", m.Line, m.Column, m.Text)
		}
		out = append(out, text)
		return err
	})
	must(t, err)
	return strings.Join(out, " "), truncated
}

// endless is one line without an end.
type endless struct {
	reads int
	then  func(reads int)
}

func (e *endless) Read(into []byte) (int, error) {
	e.reads++
	e.then(e.reads)
	for i := range into {
		into[i] = 'x'
	}
	return len(into), nil
}

func TestASearchThatNobodyWaitsForEndsWithinALine(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	line := &endless{then: func(reads int) {
		switch reads {
		case 10:
			cancel()
		case 1_000:
			panic("it reads on")
		}
	}}
	s := &searcher{Search: Search{Text: "needle"}, left: 1}
	if err := s.lines(ctx, "/endless", line); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestFilesAreFoundByPathAndText(t *testing.T) {
	root := tree(t, map[string]string{
		"a.go": "package a\n\tneedle here\nno\nneedle\r\n", "b.txt": "x needle", "sub/c.go": "nothing", "sub/deep/d.go": "needle",
		".git/config": "needle", "binary": "needle\x00", ".hidden": "needle", "long": strings.Repeat("y", 70_000) + "needle\nneedle",
		"wide": strings.Repeat("z", 5_000) + "needle",
	})
	must(t, os.Symlink(root+"/sub", root+"/link"))
	must(t, os.Symlink("a.go", root+"/linked.go"))
	must(t, syscall.Mkfifo(root+"/fifo.go", 0o600))
	if got, truncated := search(t, Search{Root: root}); got != ".hidden a.go b.txt binary long wide sub/c.go sub/deep/d.go" || truncated {
		t.Errorf("%s, %v", got, truncated)
	}
	for glob, expected := range map[string]string{
		"*.go": "a.go sub/c.go sub/deep/d.go", "**/*.go": "a.go sub/c.go sub/deep/d.go", "sub/*.go": "sub/c.go", "sub/**": "sub/c.go sub/deep/d.go",
		"/a.go": "a.go", "{a,c}.go": "a.go sub/c.go", "[!a].go": "sub/c.go sub/deep/d.go", "?.txt": "b.txt", "*/d.go": "", "**/d.go": "sub/deep/d.go", `\*.go`: "",
	} {
		if got, _ := search(t, Search{Root: root, Glob: glob}); got != expected {
			t.Errorf("%s: %s", glob, got)
		}
	}
	got, _ := search(t, Search{Root: root, Text: "needle"})
	if expected := ".hidden:1:1:needle a.go:2:2:\tneedle here a.go:4:1:needle b.txt:1:3:x needle long:2:1:needle wide:1:5001:" + strings.Repeat("z", 200) + "needle sub/deep/d.go:1:1:needle"; got != expected {
		t.Errorf("%s", got)
	}
	if got, _ := search(t, Search{Root: root + "/link", Text: "needle"}); got != "../sub/deep/d.go:1:1:needle" {
		t.Errorf("through a link: %s", got)
	}
	if got, _ := search(t, Search{Root: root + "/a.go", Text: "here"}); got != ".:2:9:\tneedle here" {
		t.Errorf("a file: %s", got)
	}
	if got, truncated := search(t, Search{Root: root, Limit: 2}); got != ".hidden a.go" || !truncated {
		t.Errorf("%s, %v", got, truncated)
	}
	if _, truncated := search(t, Search{Root: root, Limit: 8}); truncated {
		t.Error("all were found, and it says there are more")
	}
}

func TestASearchThatIsWrongIsRefused(t *testing.T) {
	for _, s := range []Search{
		{Root: "/no/such"}, {Root: "/tmp", Glob: "["}, {Root: "/tmp", Glob: "{a"}, {Root: "/tmp", Glob: strings.Repeat("a", 2000)},
		{Root: "/tmp", Text: "a\nb"}, {Root: "/tmp", Text: strings.Repeat("a", 2000)}, {Root: "/tmp", Glob: "[z-a]"},
	} {
		_, err := s.Run(context.Background(), func(Match) error { return nil })
		if code := status(err); code != 400 && code != 404 {
			t.Errorf("%.50v: %v", s, err)
		}
	}
}

func TestASearchEndsWithItsCaller(t *testing.T) {
	root := tree(t, map[string]string{"a": "", "b": ""})
	ctx, cancel := context.WithCancel(context.Background())
	count := 0
	_, err := Search{Root: root, Limit: 10}.Run(ctx, func(Match) error { count++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || count != 1 {
		t.Errorf("%d, %v", count, err)
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("**/*.{go,ts}", "a/b.go")
	f.Add("[!a-z]", "x")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		matches, err := compileGlob(pattern)
		if err != nil {
			if status(err) != 400 {
				t.Error(err)
			}
			return
		}
		matches(path)
	})
}
