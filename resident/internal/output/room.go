package output

import "agentcontainers/resident/internal/wake"

// Blocks tells whether Fill may give ErrNoRoom.
func (l *Log) Blocks() bool { return l.overflow == Block }

// Room receives after a reader has read on in a blocked log.
func (l *Log) Room() <-chan struct{} { return l.room }

// Stalled tells whether there is more that is not taken until somebody comes and reads.
func (l *Log) Stalled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused && !l.sealed && len(l.readers) == 0
}

func (l *Log) roomNow() int64 {
	if l.overflow != Block || l.discarding {
		return blockBytes
	}
	floor := l.memoryStart
	if slowest, any := l.slowest(); any {
		floor = max(floor, slowest-l.capacity/2)
	}
	return l.capacity - (l.end - floor)
}

func (l *Log) slowest() (position int64, any bool) {
	for reader := range l.readers {
		if !any || reader.position < position {
			position, any = reader.position, true
		}
	}
	return position, any
}

func (l *Log) signalRoom() { wake.Up(l.room) }
