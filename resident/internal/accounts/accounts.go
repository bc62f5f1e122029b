// Package accounts finds users and their groups in passwd and group files.
package accounts

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const (
	passwdFile = "/etc/passwd"
	groupFile  = "/etc/group"
	// maxFile, maxLine and maxGroups bound what a container can make us read and hold.
	maxFile   = 32 << 20
	maxLine   = 1 << 20
	maxGroups = 65536
	// maxID is the last id; the one after it means "leave as it is" to the kernel.
	maxID = 1<<32 - 2
)

// Account is one line of a passwd file.
type Account struct {
	Name  string
	UID   uint32
	GID   uint32
	Home  string
	Shell string
}

// ErrUnknown says that there is no such account.
var ErrUnknown = errors.New("there is no such user")

// ByName finds the account with this name.
func ByName(name string) (Account, error) {
	return fromFile(func(from io.Reader) (Account, bool, error) {
		return Find(from, func(a Account) bool { return a.Name == name })
	})
}

// ByUID finds the first account with this number.
func ByUID(uid uint32) (Account, error) {
	return last.find(uid, func() (Account, error) { return byUID(uid) })
}

func byUID(uid uint32) (Account, error) {
	return fromFile(func(from io.Reader) (Account, bool, error) {
		return Find(from, func(a Account) bool { return a.UID == uid })
	})
}

func fromFile(find func(io.Reader) (Account, bool, error)) (Account, error) {
	file, err := os.Open(passwdFile)
	if errors.Is(err, os.ErrNotExist) {
		return Account{}, ErrUnknown
	}
	if err != nil {
		return Account{}, err
	}
	defer file.Close()
	account, found, err := find(file)
	if found || err != nil {
		return account, err
	}
	return Account{}, ErrUnknown
}

// IsPassing tells of an error of a list whether it can be gone the next time. Any other means that there is no list for us.
func IsPassing(err error) bool {
	for _, passing := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO, syscall.ESTALE, syscall.EINTR} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// Groups are the numbers of the groups of a user, its own first. Its own alone are those of a list that is not for us, and not
// of one that cannot be read just now: nothing is started with fewer rights than it has the next time.
func Groups(name string, own uint32) ([]uint32, error) {
	file, err := os.Open(groupFile)
	if IsPassing(err) {
		return nil, err
	}
	if err != nil {
		return []uint32{own}, nil
	}
	defer file.Close()
	return FindGroups(file, name, own), nil
}

// Find gives the first account of a passwd file that matches. Lines that are none are passed over.
func Find(from io.Reader, matches func(Account) bool) (account Account, found bool, err error) {
	err = eachLine(from, func(line string) bool {
		if a, ok := parseAccount(line); ok && matches(a) {
			account, found = a, true
		}
		return !found
	})
	return account, found, err
}

func parseAccount(line string) (Account, bool) {
	fields := strings.Split(line, ":")
	if len(fields) != 7 || fields[0] == "" || strings.ContainsRune(line, 0) {
		return Account{}, false
	}
	uid, uidOK := ParseID(fields[2])
	gid, gidOK := ParseID(fields[3])
	if !uidOK || !gidOK {
		return Account{}, false
	}
	return Account{Name: fields[0], UID: uid, GID: gid, Home: fields[5], Shell: fields[6]}, true
}

// FindGroups gives the numbers of the groups in a group file that name is a member of, after its own one.
func FindGroups(from io.Reader, name string, own uint32) []uint32 {
	groups := []uint32{own}
	seen := map[uint32]bool{own: true}
	// Of a file that can be read in part the groups that were found count.
	_ = eachLine(from, func(line string) bool {
		fields := strings.Split(line, ":")
		if len(fields) != 4 {
			return true
		}
		gid, ok := ParseID(fields[2])
		if !ok || seen[gid] {
			return true
		}
		for _, member := range strings.Split(fields[3], ",") {
			if member == name {
				seen[gid] = true
				groups = append(groups, gid)
				break
			}
		}
		return len(groups) < maxGroups
	})
	return groups
}

// ParseID reads a user's or a group's number: digits alone.
func ParseID(text string) (uint32, bool) {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	id, err := strconv.ParseUint(text, 10, 32)
	return uint32(id), err == nil && id <= maxID
}

// eachLine passes over lines that are too long.
func eachLine(from io.Reader, each func(string) bool) error {
	lines := bufio.NewReaderSize(io.LimitReader(from, maxFile), 4096)
	for {
		line, err := readLine(lines)
		if err != nil && err != io.EOF {
			return err
		}
		if line != "" && line[0] != '#' && !each(line) || err == io.EOF {
			return nil
		}
	}
}

func readLine(from *bufio.Reader) (string, error) {
	var line []byte
	long := false
	for {
		part, err := from.ReadSlice('\n')
		if long = long || len(line)+len(part) > maxLine; !long {
			line = append(line, part...)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if long {
			line = nil
		}
		return strings.TrimRight(string(line), "\r\n"), err
	}
}
