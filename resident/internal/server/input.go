package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/frames"
	"agentcontainers/resident/internal/process"
)

// control is a frame of kind 0 after the first one.
type control struct {
	Resize *process.Size `json:"resize"`
}

// feed passes the frames of a request on to a process, until there are no more. With deaf they are read and dropped. The
// error says that they are not what the protocol has.
func feed(ctx context.Context, from *frames.Reader, p *process.Process, deaf bool) error {
	var typed *typing
	if p.HasTerminal() && !deaf {
		typed = startTyping(ctx, p)
		defer typed.finish()
	}
	for {
		kind, payload, err := from.Next()
		var malformed *frames.Malformed
		var large *frames.TooLarge
		switch {
		case errors.As(err, &malformed), errors.As(err, &large), errors.Is(err, io.ErrUnexpectedEOF):
			return err
		case err != nil:
			// The request is over, or its connection is: that ends nothing.
			return nil
		case ctx.Err() != nil:
			// What was written last is not whole: no more may follow it, and least of all the end.
			return nil
		case kind == frames.JSON:
			var c control
			if err := process.DecodeJSON(payload, &c); err != nil {
				return err
			}
			if c.Resize != nil && !deaf {
				if err := p.Resize(*c.Resize); err != nil && fault.From("", err).Status == 400 {
					return err
				}
			}
		case deaf:
		case typed != nil:
			typed.put(ctx, payload)
		case len(payload) == 0:
			_ = p.EndInput(ctx)
		default:
			// A process that reads no more does not end the stream, as it would not end a pipeline.
			_ = p.Write(ctx, payload)
		}
	}
}

// firstFrame reads the start that a request begins with.
func firstFrame(from *frames.Reader) (json.RawMessage, error) {
	kind, payload, err := from.Next()
	var large *frames.TooLarge
	switch {
	case errors.As(err, &large):
		return nil, fault.TooLarge("%s", err.Error())
	case err != nil:
		return nil, fault.Invalid("the request does not begin with a frame")
	case kind != frames.JSON:
		return nil, fault.Invalid("the first frame is not of kind 0")
	}
	return payload, nil
}
