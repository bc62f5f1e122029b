package output

import (
	"encoding/binary"
	"os"
)

const (
	maxSpillBytes = 1 << 30
	bitmapBytes   = blockBytes / 8
	slotBytes     = blockBytes + bitmapBytes
	maxSlots      = maxSpillBytes / slotBytes
)

// spill is a file of slots, each for one block. When it is full, or the file system is, the newest block takes the slot of
// the oldest.
type spill struct {
	file *os.File
	// slots has what stands in the file by slot; it is a ring of count entries from first on.
	slots []slot
	first int
	count int
	limit int
}

type slot struct {
	start  int64
	length int32
	stderr bool
}

func newSpill(file *os.File) *spill { return &spill{file: file, limit: maxSlots} }

func (s *spill) close() { s.file.Close() }

func (s *spill) start() int64 { return s.slots[s.first].start }

func (s *spill) at(index int) int { return (s.first + index) % len(s.slots) }

// add takes the block after the last one. What cannot be written is dropped, and with it everything older.
func (s *spill) add(b *block) {
	entry := slot{start: b.start, length: int32(len(b.data)), stderr: b.stderr != nil}
	if len(s.slots) < s.limit {
		if s.write(len(s.slots), b) {
			s.slots = append(s.slots, entry)
			s.count++
			return
		}
		// No space: from now on the oldest make room.
		s.limit = len(s.slots)
	}
	if s.limit == 0 {
		return
	}
	oldest := s.first
	s.first, s.count = (s.first+1)%len(s.slots), s.count-1
	if !s.write(oldest, b) {
		s.slots, s.first, s.count, s.limit = nil, 0, 0, 0
		_ = s.file.Truncate(0)
		return
	}
	s.slots[oldest] = entry
	s.count++
}

func (s *spill) write(index int, b *block) bool {
	content := b.data
	if b.stderr != nil {
		content = make([]byte, slotBytes)
		copy(content, b.data)
		for i, word := range b.stderr {
			binary.LittleEndian.PutUint64(content[blockBytes+8*i:], word)
		}
	}
	_, err := s.file.WriteAt(content, int64(index)*slotBytes)
	return err == nil
}

// copyFrom is that of a log, for an offset in the file.
func (s *spill) copyFrom(offset int64, into []byte) (kind byte, n int) {
	low, high := 0, s.count
	for low < high {
		middle := (low + high) / 2
		if entry := s.slots[s.at(middle)]; entry.start+int64(entry.length) <= offset {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == s.count {
		return 0, 0
	}
	index := s.at(low)
	entry := s.slots[index]
	at := int(offset - entry.start)
	if !entry.stderr {
		n = min(int(entry.length)-at, len(into))
		if _, err := s.file.ReadAt(into[:n], int64(index)*slotBytes+int64(at)); err != nil {
			return 0, 0
		}
		return Stdout, n
	}
	content := make([]byte, slotBytes)
	if _, err := s.file.ReadAt(content, int64(index)*slotBytes); err != nil {
		return 0, 0
	}
	b := block{start: entry.start, data: content[:entry.length:blockBytes], stderr: make([]uint64, bitmapBytes/8)}
	for i := range b.stderr {
		b.stderr[i] = binary.LittleEndian.Uint64(content[blockBytes+8*i:])
	}
	kind, n = b.run(at)
	return kind, copy(into, b.data[at:at+n])
}
