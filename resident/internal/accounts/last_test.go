package accounts

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

func TestWhatWasFoundIsRememberedUntilTheFileChanges(t *testing.T) {
	path := t.TempDir() + "/passwd"
	write := func(content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	r := remembered{path: path}
	searches := 0
	find := func(uid uint32) string {
		account, _ := r.find(uid, func() (Account, error) {
			searches++
			content, err := os.ReadFile(path)
			return Account{Name: string(content), UID: uid}, err
		})
		return account.Name
	}
	for _, content := range []string{"two", "one"} {
		write(content)
		if got := find(7); got != content {
			t.Errorf("a file that was written a moment ago: %q", got)
		}
	}
	if searches != 2 {
		t.Errorf("%d searches", searches)
	}
	for deadline := time.Now().Add(30 * time.Second); searches < 6 && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
		if _, known := stateOf(path, time.Now()); known {
			break
		}
	}
	searches = 0
	for range 10 {
		find(7)
	}
	if got := find(8); got != "one" || searches != 2 {
		t.Errorf("%q after %d searches", got, searches)
	}
	write("new")
	if got := find(8); got != "new" {
		t.Errorf("after a change: %q", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := find(8); got != "" {
		t.Errorf("without a file: %q", got)
	}
}

func TestWhatCouldNotBeReadIsAskedForAgain(t *testing.T) {
	path := t.TempDir() + "/passwd"
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if _, known := stateOf(path, time.Now()); known {
			break
		}
	}
	r := remembered{path: path}
	answers := []error{syscall.EMFILE, ErrUnknown, errors.New("not asked")}
	for i, expected := range []error{syscall.EMFILE, ErrUnknown, ErrUnknown} {
		_, err := r.find(7, func() (Account, error) {
			next := answers[0]
			answers = answers[1:]
			return Account{}, next
		})
		if err != expected {
			t.Errorf("%d: %v", i, err)
		}
	}
}
