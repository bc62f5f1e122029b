package process

import "agentcontainers/resident/internal/output"

const (
	// maxEndedMemory and maxEndedFiles bound the output that is kept of all processes that have ended, in bytes. The newest
	// of them keeps all of its own.
	maxEndedMemory = 32 << 20
	maxEndedFiles  = 2 << 30
)

func (t *Table) trim() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trimEnded()
}

// trimEnded lets go of the output of the oldest that have ended until the rest is within the bounds: first of what was
// read to its end, then of the others. What somebody is reading stays. Needs the lock.
func (t *Table) trimEnded() {
	var memory, files int64
	holdings := make([]output.Holding, len(t.ended))
	for i, p := range t.ended {
		holdings[i] = p.log.Holding()
		memory += holdings[i].Memory
		files += holdings[i].File
	}
	for _, unread := range []bool{false, true} {
		for i, h := range holdings {
			isOver := h.Memory > 0 && memory > t.keep.memory || h.File > 0 && files > t.keep.files
			if !isOver || h.Readers || h.Unread != unread || i == len(t.ended)-1 {
				continue
			}
			t.ended[i].log.Release()
			memory -= h.Memory
			files -= h.File
		}
	}
}
