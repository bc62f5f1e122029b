// Package carry moves bytes from one place to another.
package carry

import (
	"errors"
	"io"
)

// Bytes gives all that can be read to write, at most so much at once, as soon as it is there.
func Bytes(from io.Reader, atOnce int, write func([]byte) error) error {
	buffer := make([]byte, atOnce)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if err := write(buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
