package output

// Holding says what a log costs, and who could miss it.
type Holding struct {
	// Memory and File are bytes.
	Memory int64
	File   int64
	// Unread says that no reader has come to the end.
	Unread bool
	// Readers says that there are some now.
	Readers bool
}

// Holding tells what is held at the time.
func (l *Log) Holding() Holding {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := Holding{Unread: l.read < l.end, Readers: len(l.readers) > 0}
	for _, b := range l.blocks {
		h.Memory += int64(cap(b.data) + 8*len(b.stderr))
	}
	if l.spare != nil {
		h.Memory += int64(cap(l.spare.data))
	}
	if l.spill != nil {
		h.File = int64(len(l.spill.slots)) * slotBytes
	}
	return h
}

// Release lets go of everything that is kept. What comes from now on is kept as before.
func (l *Log) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocks, l.spare, l.memoryStart = nil, nil, l.end
	if l.spill != nil {
		l.spill.close()
		l.spill = nil
	}
	l.signalRoom()
}
