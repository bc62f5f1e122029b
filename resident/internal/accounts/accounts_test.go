package accounts

import (
	"errors"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"agentcontainers/resident/internal/scarce"
)

const passwd = `root:x:0:0:root:/root:/bin/bash
# a comment
broken line
short:x:1
minus:x:-1:5::/:/bin/sh
huge:x:4294967296:5::/:/bin/sh
leave:x:4294967295:5::/:/bin/sh
:x:7:7::/:/bin/sh
vscode:x:1000:1001:Code,,,:/home/vscode:/bin/zsh
twin:x:1000:1002::/home/twin:
last:x:1003:1003::/home/last:/bin/sh`

func TestGroupsThatCannotBeReadJustNowAreAnError(t *testing.T) {
	if groups, err := Groups("root", 7); err != nil || groups[0] != 7 {
		t.Fatalf("%v, %v", groups, err)
	}
	scarce.Files(t, 0)
	if groups, err := Groups("root", 7); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("%v, %v", groups, err)
	}
}

func TestAccountsAreFoundByNameAndNumber(t *testing.T) {
	byName := func(name string) (Account, bool) {
		a, found, _ := Find(strings.NewReader(passwd), func(a Account) bool { return a.Name == name })
		return a, found
	}
	for name, expected := range map[string]Account{
		"root":   {"root", 0, 0, "/root", "/bin/bash"},
		"vscode": {"vscode", 1000, 1001, "/home/vscode", "/bin/zsh"},
		"twin":   {"twin", 1000, 1002, "/home/twin", ""},
		"last":   {"last", 1003, 1003, "/home/last", "/bin/sh"},
	} {
		if got, found := byName(name); !found || got != expected {
			t.Errorf("%s: %+v, %v", name, got, found)
		}
	}
	for _, name := range []string{"minus", "huge", "leave", "short", "broken line", "", "#"} {
		if got, found := byName(name); found {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got, _, _ := Find(strings.NewReader(passwd), func(a Account) bool { return a.UID == 1000 }); got.Name != "vscode" {
		t.Errorf("the first with a number counts, not %s", got.Name)
	}
}

func TestGroupsAreThoseOfTheMember(t *testing.T) {
	group := "root:x:0:\nsudo:x:27:vscode,other\ndocker:x:999:other\nnear:x:998:vscode2,xvscode\nown:x:1001:vscode\nbroken\nusers:x:100:a,vscode\nagain:x:27:vscode\nbad:x:z:vscode"
	if got := FindGroups(strings.NewReader(group), "vscode", 1001); !slices.Equal(got, []uint32{1001, 27, 100}) {
		t.Errorf("%v", got)
	}
}

func TestALongLineIsPassedOver(t *testing.T) {
	file := "long:x:1:1:" + strings.Repeat("x", 2*maxLine) + ":/:/bin/sh\nnext:x:2:2::/:/bin/sh\n"
	if got, found, _ := Find(strings.NewReader(file), func(a Account) bool { return true }); !found || got.Name != "next" {
		t.Errorf("%.20s, %v", got.Name, found)
	}
}

func TestANumberIsDigitsAlone(t *testing.T) {
	for text, expected := range map[string]bool{"0": true, "4294967294": true, "4294967295": false, "+1": false, "-1": false, "": false, "1 ": false, "0x1": false, "1_0": false} {
		if _, ok := ParseID(text); ok != expected {
			t.Errorf("%q: %v", text, ok)
		}
	}
}

func FuzzAccounts(f *testing.F) {
	f.Add(passwd, "vscode")
	f.Add("sudo:x:27:vscode", "vscode")
	f.Fuzz(func(t *testing.T, file, name string) {
		if a, found, _ := Find(strings.NewReader(file), func(a Account) bool { return a.Name == name }); found && (a.Name != name || a.UID > maxID) {
			t.Errorf("%+v", a)
		}
		if groups := FindGroups(strings.NewReader(file), name, 5); groups[0] != 5 || len(groups) > maxGroups {
			t.Errorf("%d groups", len(groups))
		}
	})
}

func TestAFileThatCannotBeReadToItsEndTellsNothing(t *testing.T) {
	half := io.MultiReader(strings.NewReader("root:x:0:0::/root:/bin/sh\n"), iotest.ErrReader(syscall.EIO))
	_, found, err := Find(half, func(a Account) bool { return a.UID == 1000 })
	if found || !errors.Is(err, syscall.EIO) {
		t.Errorf("%v, %v", found, err)
	}
}
