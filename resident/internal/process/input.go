package process

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"agentcontainers/resident/internal/fault"
)

// input is the standard input of a process. Writers take turns, so that what one writes at once stays together.
type input struct {
	file     *os.File
	terminal bool
	turn     chan struct{}
	// ended is set once nothing can be written any more.
	ended atomic.Bool
	// written counts the bytes that the process can read, or has read.
	written atomic.Int64
}

var longAgo = time.Unix(1, 0)

func newInput(file *os.File, terminal bool) *input {
	return &input{file: file, terminal: terminal, turn: make(chan struct{}, 1)}
}

// write writes all of content, or until the context ends or the process does not read any more.
func (in *input) write(ctx context.Context, content []byte) error {
	return in.inTurn(ctx, func() error {
		n, err := in.file.Write(content)
		in.written.Add(int64(n))
		return err
	})
}

// end tells the process that nothing more comes: a pipe is closed, a terminal gets its end-of-file character.
func (in *input) end(ctx context.Context) error {
	if in.ended.Load() {
		return nil
	}
	return in.inTurn(ctx, func() error {
		if !in.terminal {
			in.ended.Store(true)
			return in.file.Close()
		}
		character := []byte{4}
		if raw, err := in.file.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { character[0] = endOfFile(int(fd)) })
		}
		_, err := in.file.Write(character)
		return err
	})
}

// isOpen tells whether what is written now could be read.
func (in *input) isOpen() bool {
	if in.ended.Load() {
		return false
	}
	unread := false
	if raw, err := in.file.SyscallConn(); err == nil && !in.terminal {
		_ = raw.Control(func(fd uintptr) { unread = readerGone(int(fd)) })
	}
	return !unread
}

// stop ends writers that wait: the process is gone. Our end of a terminal stays open for what is still to be read.
func (in *input) stop() {
	in.ended.Store(true)
	if in.terminal {
		_ = in.file.SetWriteDeadline(longAgo)
		return
	}
	in.file.Close()
}

func (in *input) inTurn(ctx context.Context, do func() error) error {
	select {
	case in.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-in.turn }()
	// Of a turn and an end at the same time either can be chosen.
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if in.ended.Load() {
		return errInputEnded()
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = in.file.SetWriteDeadline(longAgo)
	})
	err := do()
	if !stop() {
		<-interrupted
		if _ = in.file.SetWriteDeadline(time.Time{}); in.ended.Load() {
			_ = in.file.SetWriteDeadline(longAgo)
		}
	}
	if err == nil || ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return ctx.Err()
	}
	if errors.Is(err, syscall.EPIPE) && !in.ended.Swap(true) {
		in.file.Close()
	}
	var known *fault.Fault
	if errors.As(err, &known) {
		return err
	}
	return errInputEnded()
}

func errInputEnded() error { return fault.Conflict("the process does not read its input any more") }
