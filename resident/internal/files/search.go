package files

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"agentcontainers/resident/internal/fault"
)

const (
	// DefaultMatches and MaxMatches bound what a search finds.
	DefaultMatches = 1_000
	MaxMatches     = 10_000
	maxText        = 1_000
	// maxWaiting bounds the directories that are still to be looked at.
	maxWaiting = 100_000
	// shownBytes is how much of a line is told, beforeMatch of it what comes before the match at most.
	shownBytes  = 1_000
	beforeMatch = 200
	// binaryBytes is where a zero byte tells that a file is no text.
	binaryBytes = 8_000
	lineBytes   = 64 << 10
)

// Search says what is looked for: files whose path matches Glob, and in them lines with Text.
type Search struct {
	Root  string
	Glob  string
	Text  string
	Limit int
}

// Match is one that was found. Line and Column begin with 1; Column counts bytes.
type Match struct {
	Path   string `json:"path"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Text   string `json:"text,omitempty"`
}

type searcher struct {
	Search
	matches   func(relative string) bool
	emit      func(Match) error
	left      int
	truncated bool
}

var errEnough = errors.New("there are enough matches")

// Run calls emit for each match. truncated says that there may be more. Links are not followed, and .git is not looked into.
func (s Search) Run(ctx context.Context, emit func(Match) error) (truncated bool, err error) {
	if len(s.Text) > maxText || strings.ContainsAny(s.Text, "\n\x00") {
		return false, fault.Invalid("the text is longer than %d bytes or more than a line", maxText)
	}
	matches, err := compileGlob(s.Glob)
	if err != nil {
		return false, err
	}
	root, err := filepath.EvalSymlinks(s.Root)
	if err != nil {
		return false, fault.From("searching", err)
	}
	info, err := os.Lstat(root)
	if err != nil {
		return false, fault.From("searching", err)
	}
	run := &searcher{Search: s, matches: matches, emit: emit, left: s.Limit}
	if !info.IsDir() {
		err = run.file(ctx, root, filepath.Base(root))
	} else {
		err = run.directories(ctx, root)
	}
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return run.truncated, err
}

func (s *searcher) directories(ctx context.Context, root string) error {
	for waiting := []string{root}; len(waiting) > 0; {
		last := len(waiting) - 1
		current := waiting[last]
		found, err := s.directory(ctx, root, current)
		if err != nil {
			return err
		}
		slices.Sort(found)
		slices.Reverse(found)
		waiting = append(waiting[:last], found...)
		if len(waiting) > maxWaiting {
			waiting, s.truncated = waiting[len(waiting)-maxWaiting:], true
		}
	}
	return nil
}

// directory looks at the files in one directory, and gives the directories in it. What cannot be read is passed over.
func (s *searcher) directory(ctx context.Context, root, path string) (below []string, err error) {
	directory, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil
	}
	defer directory.Close()
	for {
		entries, err := directory.ReadDir(listChunk)
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		for _, entry := range entries {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			at := filepath.Join(path, entry.Name())
			switch {
			case entry.IsDir():
				if entry.Name() != ".git" && at != "/proc" && at != "/sys" && len(below) < maxWaiting {
					below = append(below, at)
				}
			case entry.Type().IsRegular():
				if err := s.file(ctx, at, relative(root, at)); err != nil {
					return nil, err
				}
			}
		}
		if err != nil {
			return below, nil
		}
	}
}

func relative(root, at string) string {
	return strings.TrimPrefix(strings.TrimPrefix(at, root), "/")
}

func (s *searcher) found(m Match) error {
	if s.left == 0 {
		return errEnough
	}
	s.left--
	return s.emit(m)
}

func (s *searcher) file(ctx context.Context, path, relative string) error {
	if !s.matches(relative) {
		return nil
	}
	if s.Text == "" {
		return s.found(Match{Path: path})
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|asItIs, 0)
	if err != nil {
		return nil
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return s.lines(ctx, path, file)
}

func (s *searcher) lines(ctx context.Context, path string, from io.Reader) error {
	reader := bufio.NewReaderSize(from, lineBytes)
	if head, _ := reader.Peek(binaryBytes); bytes.IndexByte(head, 0) >= 0 {
		return nil
	}
	text := []byte(s.Text)
	for number := 1; ; number++ {
		// Of a line that is too long only the beginning is looked at.
		line, err := reader.ReadSlice('\n')
		if at := bytes.Index(line, text); at >= 0 {
			if err := s.found(Match{Path: path, Line: number, Column: at + 1, Text: excerpt(line, at)}); err != nil {
				return err
			}
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			_, err = reader.ReadSlice('\n')
		}
		if err != nil {
			return nil
		}
		if number%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func excerpt(line []byte, at int) string {
	line = bytes.TrimRight(line, "\r\n")
	if at > shownBytes-beforeMatch {
		line = line[at-beforeMatch:]
	}
	return strings.ToValidUTF8(string(line[:min(len(line), shownBytes)]), "�")
}
