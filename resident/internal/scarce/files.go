// Package scarce makes things scarce for tests.
package scarce

import (
	"os"
	"syscall"
	"testing"
)

// Files lets this program open only so many more files, until the returned function is called or the test is over.
func Files(t *testing.T, more uint64) (restore func()) {
	t.Helper()
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	free := uint64(file.Fd())
	file.Close()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	restore = func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) }
	t.Cleanup(restore)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: free + more, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	return restore
}
