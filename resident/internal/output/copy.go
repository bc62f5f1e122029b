package output

// copyFrom copies bytes of one kind from an offset that is kept. n is 0 only at the end, and when a file cannot be read.
func (l *Log) copyFrom(offset int64, into []byte) (kind byte, n int) {
	if offset < l.memoryStart {
		return l.spill.copyFrom(offset, into)
	}
	for index := l.find(offset); index < len(l.blocks) && n < len(into); index++ {
		b := l.blocks[index]
		at := int(offset + int64(n) - b.start)
		if at >= len(b.data) {
			break
		}
		blockKind, length := b.run(at)
		if n > 0 && blockKind != kind {
			break
		}
		kind = blockKind
		copied := copy(into[n:], b.data[at:at+length])
		n += copied
		if at+copied < len(b.data) {
			break
		}
	}
	return kind, n
}

// find gives the index of the block with an offset.
func (l *Log) find(offset int64) int {
	low, high := 0, len(l.blocks)
	for low < high {
		middle := (low + high) / 2
		if l.blocks[middle].end() <= offset {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}
