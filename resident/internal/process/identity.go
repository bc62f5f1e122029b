package process

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"agentcontainers/resident/internal/accounts"
	"agentcontainers/resident/internal/fault"
)

// identity is the user that a process runs as. switches says that it is another one than the agent's.
type identity struct {
	accounts.Account
	groups   []uint32
	switches bool
}

func (i identity) credential() *syscall.Credential {
	if !i.switches {
		return nil
	}
	return &syscall.Credential{Uid: i.UID, Gid: i.GID, Groups: i.groups}
}

// variables are those by which programs know their user.
func (i identity) variables() map[string]string {
	shell, home := i.Shell, i.Home
	if shell == "" {
		shell = defaultShell
	}
	if home == "" {
		home = "/"
	}
	return map[string]string{"HOME": home, "USER": i.Name, "LOGNAME": i.Name, "SHELL": shell}
}

// resolveUser finds who a process runs as: name, uid or uid:gid; nothing means the agent's user. A number needs no line in
// the passwd file; without one its group is 0, as the engine has it.
func resolveUser(wanted *string) (identity, error) {
	own := uint32(os.Geteuid())
	if wanted == nil || *wanted == "" {
		account, err := numbered(own, uint32(os.Getegid()))
		return identity{Account: account}, err
	}
	who, err := findUser(*wanted)
	if err != nil {
		return who, err
	}
	who.switches = who.UID != own || strings.Contains(*wanted, ":") && who.GID != uint32(os.Getegid())
	if who.switches && own != 0 {
		return who, fault.OtherUser("only root can start a process as %s", quoted(*wanted))
	}
	return who, nil
}

func findUser(wanted string) (identity, error) {
	if user, group, both := strings.Cut(wanted, ":"); both {
		uid, uidOK := accounts.ParseID(user)
		gid, gidOK := accounts.ParseID(group)
		if !uidOK || !gidOK {
			return identity{}, fault.Invalid("the user %s is neither a name nor uid or uid:gid", quoted(wanted))
		}
		account, err := numbered(uid, gid)
		if err != nil {
			return identity{}, err
		}
		account.GID = gid
		return identity{Account: account, groups: []uint32{gid}}, nil
	}
	account, err := accounts.ByName(wanted)
	if err != nil && !errors.Is(err, accounts.ErrUnknown) {
		return identity{}, fault.From("reading the list of users", err)
	}
	if err != nil {
		uid, ok := accounts.ParseID(wanted)
		if !ok {
			return identity{}, fault.Missing(fault.UserNotFound, "there is no user %s", quoted(wanted))
		}
		if account, err = numbered(uid, 0); err != nil {
			return identity{}, err
		}
	}
	groups, err := accounts.Groups(account.Name, account.GID)
	if err != nil {
		return identity{}, fault.From("reading the list of groups", err)
	}
	return identity{Account: account, groups: groups}, nil
}

// numbered is for a user that needs no entry. Where the list may not be read there is none for us; where it cannot be read
// just now nothing is started as somebody without a name and a home.
func numbered(uid, gid uint32) (accounts.Account, error) {
	account, err := accounts.ByUID(uid)
	if err == nil {
		return account, nil
	}
	if accounts.IsPassing(err) {
		return accounts.Account{}, fault.From("reading the list of users", err)
	}
	return accounts.Account{Name: strconv.FormatUint(uint64(uid), 10), UID: uid, GID: gid}, nil
}
