// Package fault has the errors that a request can be answered with.
package fault

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"syscall"
)

// Fault is an error with the code and the HTTP status of the protocol. Its message is for people.
type Fault struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (f *Fault) Error() string { return f.Message }

func fault(status int, code, format string, args []any) *Fault {
	return &Fault{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid says that the request itself is wrong.
func Invalid(format string, args ...any) *Fault {
	return fault(http.StatusBadRequest, "invalid-request", format, args)
}

// NotPermitted says that the agent's user may not do it.
func NotPermitted(format string, args ...any) *Fault {
	return fault(http.StatusForbidden, "not-permitted", format, args)
}

// OtherUser says that the agent's user may not start a process as the one that was named.
func OtherUser(format string, args ...any) *Fault {
	return fault(http.StatusForbidden, "other-user", format, args)
}

// NotFound says that what was named is not there.
func NotFound(format string, args ...any) *Fault {
	return fault(http.StatusNotFound, "not-found", format, args)
}

// Of what a process is started with, what is not there. Only the first makes the exit code 127 of a shell.
const (
	ProgramNotFound = "program-not-found"
	CwdNotFound     = "cwd-not-found"
	UserNotFound    = "user-not-found"
)

// Missing is a NotFound with a code that says what is not there.
func Missing(code, format string, args ...any) *Fault {
	return fault(http.StatusNotFound, code, format, args)
}

// FromMissing is From, but when what was named is not there it has the code that says so.
func FromMissing(code, doing string, err error) *Fault {
	from := From(doing, err)
	if from.Code != "not-found" {
		return from
	}
	return Missing(code, "%s", from.Message)
}

// Conflict says that the state of what was named forbids it.
func Conflict(format string, args ...any) *Fault {
	return fault(http.StatusConflict, "conflict", format, args)
}

// Draining says that the agent starts nothing more.
func Draining() *Fault {
	return fault(http.StatusConflict, "draining", "the agent starts nothing more, it ends when nothing runs", nil)
}

// TooLarge says that a bound on bytes was passed.
func TooLarge(format string, args ...any) *Fault {
	return fault(http.StatusRequestEntityTooLarge, "too-large", format, args)
}

// TooMany says that a bound on a count was passed.
func TooMany(format string, args ...any) *Fault {
	return fault(http.StatusTooManyRequests, "too-many", format, args)
}

// Unreachable says that a connection could not be made.
func Unreachable(format string, args ...any) *Fault {
	return fault(http.StatusBadGateway, "unreachable", format, args)
}

// Failed says that the system refused for another reason.
func Failed(format string, args ...any) *Fault {
	return fault(http.StatusInternalServerError, "failed", format, args)
}

// From gives the fault that an error of the system stands for. A fault stays what it is.
func From(doing string, err error) *Fault {
	var known *Fault
	if errors.As(err, &known) {
		return known
	}
	reason := Reason(err)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return NotFound("%s failed: %s", doing, reason)
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return NotPermitted("%s failed: %s", doing, reason)
	case errors.Is(err, os.ErrExist), errors.Is(err, syscall.ENOTEMPTY):
		return Conflict("%s failed: %s", doing, reason)
	case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ELOOP),
		errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOEXEC), errors.Is(err, syscall.EXDEV):
		return Invalid("%s failed: %s", doing, reason)
	case errors.Is(err, syscall.E2BIG), errors.Is(err, syscall.EFBIG):
		return TooLarge("%s failed: %s", doing, reason)
	}
	return Failed("%s failed: %s", doing, reason)
}

// Reason is the words of the system alone: the paths and calls around them are ours and no help to people.
func Reason(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	return err.Error()
}
