// Package strict reads what others wrote, and takes nothing that it does not know.
package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// ErrMore says that something comes after the object.
var ErrMore = errors.New("there is more than one object of JSON")

// JSON reads one object with no unknown fields.
func JSON(content []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return ErrMore
	}
	return nil
}
