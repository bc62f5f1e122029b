// Package output keeps what a process writes: the newest bytes of all, each with its offset since the process's start and
// its kind, for any number of readers.
package output

import (
	"errors"
	"os"
	"sync"

	"agentcontainers/resident/internal/wake"
)

// The kinds of bytes, as in frames.
const (
	Stdout byte = 1
	Stderr byte = 2
)

// Overflow says what happens when the log is full.
type Overflow int

const (
	// Drop lets the oldest bytes go.
	Drop Overflow = iota
	// Block takes no more until readers have read on. Half of the log stays behind the slowest reader, so that one that is
	// cut off can come back to what was on its way.
	Block
	// Spill moves the oldest bytes to a file.
	Spill
)

// untoldBytes is how much may be there that readers were not woken for.
const untoldBytes = 256 << 10

// ErrNoRoom is returned by Fill of a blocked log. Room tells when to try again.
var ErrNoRoom = errors.New("there is no room until readers have read on")

// ErrBeyond is the error of an offset that was not reached.
var ErrBeyond = errors.New("the offset lies after the end of the output")

// Log keeps the output of one process. Its memory grows with what is kept, up to its capacity and one block.
type Log struct {
	mu       sync.Mutex
	capacity int64
	overflow Overflow
	// blocks are neighbours, the oldest first. memoryStart is the first byte in them that counts.
	blocks      []*block
	spare       *block
	memoryStart int64
	end         int64
	spill       *spill
	openSpill   func() (*os.File, error)
	readers     map[*Reader]struct{}
	// read is the furthest that a reader has come.
	read int64
	// untold is what came since readers were woken.
	untold int64
	sealed bool
	// sealedAt is the end at the time of the first seal.
	sealedAt int64
	// refused says that the last try to fill it found no room.
	refused    bool
	discarding bool
	room       chan struct{}
}

// NewLog makes an empty log. openSpill makes the file for Spill when the first byte goes there.
func NewLog(capacity int64, overflow Overflow, openSpill func() (*os.File, error)) *Log {
	return &Log{
		capacity: capacity, overflow: overflow, openSpill: openSpill,
		readers: map[*Reader]struct{}{}, room: make(chan struct{}, 1),
	}
}

// Fill calls read once with memory for the next bytes. read must not block. n is what came. It is called until there is
// nothing more: readers may be woken only then.
func (l *Log) Fill(kind byte, read func([]byte) (int, error)) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	room := l.roomNow()
	if l.refused = room <= 0; l.refused {
		l.wake()
		return 0, ErrNoRoom
	}
	tail := l.tail()
	free := tail.free()
	free = free[:min(int64(len(free)), room)]
	n, err = read(free)
	if n <= 0 {
		l.wake()
		if len(tail.data) == 0 {
			// A process that writes nothing holds nothing.
			l.blocks = l.blocks[:len(l.blocks)-1]
		}
		if l.overflow == Block {
			// Room is told once; another that fills this log may wait for it as well.
			l.signalRoom()
		}
		return 0, err
	}
	tail.filled(kind, n)
	l.end += int64(n)
	if l.discarding {
		tail.reuse(l.end)
		l.memoryStart = l.end
		return n, err
	}
	l.trim()
	// A reader that runs at the same time takes little at once.
	if l.untold += int64(n); n < len(free) || l.untold >= untoldBytes {
		l.wake()
	}
	if l.overflow == Block && l.roomNow() > 0 {
		l.signalRoom()
	}
	return n, err
}

// Under runs f while nothing is filled in.
func (l *Log) Under(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// Bounds are the offsets of the oldest byte that is kept, and after the newest.
func (l *Log) Bounds() (start, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.start(), l.end
}

// Seal says that all is here that readers should wait for. Bytes that come later are kept nevertheless.
func (l *Log) Seal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seal()
	l.wake()
}

func (l *Log) seal() {
	if !l.sealed {
		l.sealed, l.sealedAt = true, l.end
	}
}

// Discard gives everything back, and takes and forgets what comes from now on.
func (l *Log) Discard() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seal()
	l.discarding = true
	l.blocks, l.spare, l.memoryStart = nil, nil, l.end
	if l.spill != nil {
		l.spill.close()
		l.spill = nil
	}
	l.wake()
	l.signalRoom()
}

func (l *Log) start() int64 {
	if l.spill != nil && l.spill.count > 0 {
		return l.spill.start()
	}
	return l.memoryStart
}

// tail is a block with space.
func (l *Log) tail() *block {
	if n := len(l.blocks); n > 0 && len(l.blocks[n-1].free()) > 0 {
		return l.blocks[n-1]
	}
	var fresh *block
	if l.spare != nil {
		fresh, l.spare = l.spare.reuse(l.end), nil
	} else {
		size := firstBlockBytes
		for kept := l.end - l.memoryStart; size < blockBytes && int64(size) < kept; {
			size *= 4
		}
		fresh = newBlock(l.end, min(size, blockBytes))
	}
	l.blocks = append(l.blocks, fresh)
	return fresh
}

// trim lets go of what is above the capacity.
func (l *Log) trim() {
	floor := l.end - l.capacity
	for len(l.blocks) > 0 && l.blocks[0].end() <= floor {
		oldest := l.blocks[0]
		l.blocks[0] = nil
		l.blocks = l.blocks[1:]
		if l.overflow == Spill {
			l.toFile(oldest)
			l.memoryStart = oldest.end()
		}
		if cap(oldest.data) == blockBytes {
			l.spare = oldest
		}
	}
	if l.overflow != Spill {
		l.memoryStart = max(l.memoryStart, floor)
	}
}

func (l *Log) toFile(b *block) {
	if l.spill == nil {
		file, err := l.openSpill()
		if err != nil {
			return
		}
		l.spill = newSpill(file)
	}
	l.spill.add(b)
}

func (l *Log) wake() {
	if l.untold == 0 && !l.sealed {
		return
	}
	l.untold = 0
	for reader := range l.readers {
		wake.Up(reader.changed)
	}
}
