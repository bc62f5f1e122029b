// Package frames reads and writes the frames of the protocol: one byte kind, four bytes length (big endian), payload.
package frames

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// The kinds of frames.
const (
	JSON   byte = 0
	Stdout byte = 1
	Stderr byte = 2
)

const (
	// HeaderBytes come before each payload.
	HeaderBytes = 5
	// MaxPayload bounds the frames of kinds 1 and 2.
	MaxPayload = 64 << 10
	// MaxJSONRequest bounds the frames of kind 0 that are read.
	MaxJSONRequest = 1 << 20
	// MaxJSONAnswer bounds the frames of kind 0 that are written.
	MaxJSONAnswer = 4 << 20
)

// Malformed is the error of bytes that are no frames, or frames that the protocol does not allow.
type Malformed struct{ Reason string }

func (m *Malformed) Error() string { return "the frame is malformed: " + m.Reason }

// TooLarge is the error of a frame above the bound of its kind.
type TooLarge struct{ Bytes, Limit uint32 }

func (e *TooLarge) Error() string {
	return fmt.Sprintf("a frame of %d bytes is too large, at most %d are allowed", e.Bytes, e.Limit)
}

// Reader reads the frames of a request. It holds at most one payload, and no more of it than has come.
type Reader struct {
	from    io.Reader
	payload []byte
}

// NewReader reads from `from`, which should not return single bytes.
func NewReader(from io.Reader) *Reader { return &Reader{from: from} }

// Next returns the next frame; its payload is valid until the next call. At the end between two frames the error is
// io.EOF, within one io.ErrUnexpectedEOF.
func (r *Reader) Next() (kind byte, payload []byte, err error) {
	var header [HeaderBytes]byte
	// What is kept between frames is given back: a reader that waits for hours holds nothing.
	r.payload = nil
	if _, err = io.ReadFull(r.from, header[:]); err != nil {
		return 0, nil, err
	}
	kind = header[0]
	length := binary.BigEndian.Uint32(header[1:])
	limit := uint32(MaxPayload)
	switch kind {
	case JSON:
		limit = MaxJSONRequest
	case Stdout:
	default:
		return 0, nil, &Malformed{Reason: fmt.Sprintf("kind %d cannot be sent to the agent", kind)}
	}
	if length > limit {
		return 0, nil, &TooLarge{Bytes: length, Limit: limit}
	}
	if err = r.fill(int(length)); err != nil {
		return 0, nil, err
	}
	return kind, r.payload, nil
}

// fill grows the payload with what really comes, so that a large length alone costs nothing.
func (r *Reader) fill(length int) error {
	for len(r.payload) < length {
		from := len(r.payload)
		step := min(length-from, max(16<<10, from))
		grown := make([]byte, from+step)
		copy(grown, r.payload)
		if _, err := io.ReadFull(r.from, grown[from:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		r.payload = grown
	}
	return nil
}

// PutHeader writes the header of a frame into the first HeaderBytes of `into`.
func PutHeader(into []byte, kind byte, length int) {
	into[0] = kind
	binary.BigEndian.PutUint32(into[1:HeaderBytes], uint32(length))
}

// EncodeJSON gives a whole frame of kind 0.
func EncodeJSON(value any) ([]byte, error) {
	payload, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	if len(payload) > MaxJSONAnswer {
		return nil, &TooLarge{Bytes: uint32(len(payload)), Limit: MaxJSONAnswer}
	}
	frame := make([]byte, HeaderBytes+len(payload))
	PutHeader(frame, JSON, len(payload))
	copy(frame[HeaderBytes:], payload)
	return frame, nil
}
