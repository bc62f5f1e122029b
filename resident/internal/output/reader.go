package output

// Reader reads a log from an offset on. It is for one goroutine; Changed may be read by any.
type Reader struct {
	log      *Log
	position int64
	changed  chan struct{}
}

// Part is what one Read gave.
type Part struct {
	// N bytes of one kind were read. 0: there is nothing more at the time.
	N    int
	Kind byte
	// Gap says that bytes before these were lost since the reader was behind.
	Gap bool
	// Position is the offset after what was read.
	Position int64
	// More says that there is something to read at once.
	More bool
	// Sealed says that all was read that came before the seal: nothing will come that is worth waiting for, though there may
	// be more.
	Sealed bool
}

// NewReader makes a reader; it begins at offset, or at the oldest byte that is kept. It must be closed: a blocked log waits
// for it.
func (l *Log) NewReader(offset int64) (*Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset > l.end {
		return nil, ErrBeyond
	}
	r := &Reader{log: l, position: max(offset, l.start()), changed: make(chan struct{}, 1)}
	l.readers[r] = struct{}{}
	l.signalRoom()
	return r, nil
}

// Position is the offset of the next byte.
func (r *Reader) Position() int64 {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.position
}

// End is the offset after the newest byte.
func (r *Reader) End() int64 {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.log.end
}

// Pending is how many bytes wait.
func (r *Reader) Pending() int64 {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	return r.log.end - max(r.position, r.log.start())
}

// Changed receives when Read may give something else than the last time.
func (r *Reader) Changed() <-chan struct{} { return r.changed }

// Read copies the next bytes, without waiting.
func (r *Reader) Read(into []byte) Part {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	var part Part
	if start := l.start(); r.position < start {
		r.position, part.Gap = start, true
	}
	part.Kind, part.N = l.copyFrom(r.position, into)
	if part.N == 0 && r.position < l.memoryStart {
		// The file cannot be read: what is in it is lost.
		r.position, part.Gap = l.memoryStart, true
		part.Kind, part.N = l.copyFrom(r.position, into)
	}
	r.position += int64(part.N)
	l.read = max(l.read, r.position)
	part.Position, part.More, part.Sealed = r.position, r.position < l.end, l.sealed && r.position >= l.sealedAt
	if part.N > 0 {
		l.signalRoom()
	}
	return part
}

// Close ends the reader. What waits for the slowest reader does not wait for this one any more.
func (r *Reader) Close() error {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	delete(r.log.readers, r)
	r.log.signalRoom()
	return nil
}
