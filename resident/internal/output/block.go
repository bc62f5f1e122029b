package output

import "math/bits"

const (
	// blockBytes is the size of a block of a process that writes much, firstBlockBytes that of one that writes little.
	blockBytes      = 32 << 10
	firstBlockBytes = 2 << 10
)

// block holds neighbouring bytes. stderr has one bit for each byte, and is nil as long as all are of stdout.
type block struct {
	start  int64
	data   []byte
	stderr []uint64
}

func newBlock(start int64, size int) *block {
	return &block{start: start, data: make([]byte, 0, size)}
}

// reuse makes an empty block of one whose bytes are not needed any more.
func (b *block) reuse(start int64) *block {
	b.start, b.data, b.stderr = start, b.data[:0], nil
	return b
}

func (b *block) end() int64 { return b.start + int64(len(b.data)) }

// free is where the next bytes go.
func (b *block) free() []byte { return b.data[len(b.data):cap(b.data)] }

// filled says that n bytes of one kind were put into free.
func (b *block) filled(kind byte, n int) {
	from := len(b.data)
	b.data = b.data[:from+n]
	if kind == Stderr {
		if b.stderr == nil {
			b.stderr = make([]uint64, (cap(b.data)+63)/64)
		}
		for i := from; i < from+n; i++ {
			b.stderr[i/64] |= 1 << (i % 64)
		}
	}
}

// run tells the kind of the byte at an index, and how many from there on are of the same kind.
func (b *block) run(at int) (kind byte, length int) {
	rest := len(b.data) - at
	if b.stderr == nil {
		return Stdout, rest
	}
	kind = Stdout
	if b.stderr[at/64]>>(at%64)&1 == 1 {
		kind = Stderr
	}
	for length < rest {
		index := at + length
		word := b.stderr[index/64]
		if kind == Stderr {
			word = ^word
		}
		// The bits from index on: the first that is set is of the other kind.
		same := bits.TrailingZeros64(word >> (index % 64))
		left := 64 - index%64
		length += min(same, left)
		if same < left {
			break
		}
	}
	return kind, min(length, rest)
}
