package fault

import (
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

func TestErrorsOfTheSystemBecomeFaults(t *testing.T) {
	for _, row := range []struct {
		err    error
		status int
		code   string
	}{
		{&fs.PathError{Op: "open", Path: "/secret", Err: syscall.ENOENT}, 404, "not-found"},
		{syscall.ENOTDIR, 404, "not-found"},
		{syscall.EACCES, 403, "not-permitted"},
		{syscall.EPERM, 403, "not-permitted"},
		{syscall.EROFS, 403, "not-permitted"},
		{syscall.EEXIST, 409, "conflict"},
		{syscall.ENOTEMPTY, 409, "conflict"},
		{syscall.EINVAL, 400, "invalid-request"},
		{syscall.ENOEXEC, 400, "invalid-request"},
		{syscall.E2BIG, 413, "too-large"},
		{syscall.EIO, 500, "failed"},
		{fmt.Errorf("around: %w", TooMany("enough")), 429, "too-many"},
	} {
		got := From("opening it", row.err)
		if got.Status != row.status || got.Code != row.code {
			t.Errorf("%v: %d %s, expected %d %s", row.err, got.Status, got.Code, row.status, row.code)
		}
	}
	if message := From("opening it", &fs.PathError{Op: "open", Path: "/secret", Err: syscall.ENOENT}).Message; message != "opening it failed: no such file or directory" {
		t.Errorf("the message is %q", message)
	}
}

func TestWhatIsNotThereIsSaid(t *testing.T) {
	got := FromMissing(ProgramNotFound, "starting 100%s", syscall.ENOENT)
	if got.Status != 404 || got.Code != "program-not-found" || got.Message != "starting 100%s failed: no such file or directory" {
		t.Errorf("%+v", got)
	}
	if got := FromMissing(CwdNotFound, "x", syscall.EACCES); got.Status != 403 || got.Code != "not-permitted" {
		t.Errorf("%+v", got)
	}
}
