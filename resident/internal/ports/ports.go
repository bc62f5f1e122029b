package ports

import (
	"errors"
	"os"
	"sort"
	"strconv"
	"strings"

	"agentcontainers/resident/internal/proc"
)

// maxDescriptors bounds how many open files of one process are looked at.
const maxDescriptors = 65536

// List reads the listeners of the network of this program, sorted, without their processes.
func List() ([]Listener, error) {
	all := []Listener{}
	for family, path := range map[int]string{4: "/proc/self/net/tcp", 6: "/proc/self/net/tcp6"} {
		file, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) && family == 6 {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Parse(file, family)...)
		file.Close()
	}
	sort.Slice(all, func(a, b int) bool {
		one, other := all[a], all[b]
		if one.Port != other.Port {
			return one.Port < other.Port
		}
		if one.Family != other.Family {
			return one.Family < other.Family
		}
		if one.Address != other.Address {
			return one.Address < other.Address
		}
		return one.inode < other.inode
	})
	return all, nil
}

// Same tells whether two lists are of the same sockets.
func Same(a, b []Listener) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].inode != b[i].inode || a[i].Port != b[i].Port || a[i].Address != b[i].Address {
			return false
		}
	}
	return true
}

// Name finds the processes that hold the listeners, as far as this user may look. processOf gives the id of the command
// that a process belongs to, or nothing.
func Name(listeners []Listener, processOf func(pid int) string) {
	wanted := map[uint64][]int{}
	for i, l := range listeners {
		wanted[l.inode] = append(wanted[l.inode], i)
	}
	if len(wanted) == 0 {
		return
	}
	processes, err := proc.List()
	if err != nil {
		return
	}
	for _, p := range processes {
		for _, inode := range sockets(p.PID) {
			for _, i := range wanted[inode] {
				// The first is the one that has listened the longest: its children inherit the socket.
				if l := &listeners[i]; l.PID == 0 {
					l.PID, l.Name, l.Process = p.PID, strings.ToValidUTF8(p.Name, "?"), processOf(p.PID)
				}
			}
		}
	}
}

// sockets gives the inodes of the sockets of a process.
func sockets(pid int) (inodes []uint64) {
	_ = proc.AsOwner(pid, func() (err error) {
		inodes, err = readSockets("/proc/" + strconv.Itoa(pid) + "/fd")
		return err
	})
	return inodes
}

func readSockets(folder string) (inodes []uint64, err error) {
	directory, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	names, err := directory.Readdirnames(maxDescriptors)
	for _, name := range names {
		target, linkErr := os.Readlink(folder + "/" + name)
		if linkErr != nil {
			err = linkErr
			continue
		}
		if inode, is := socketInode(target); is {
			inodes = append(inodes, inode)
		}
	}
	return inodes, err
}

func socketInode(target string) (uint64, bool) {
	text, found := strings.CutPrefix(target, "socket:[")
	text, closed := strings.CutSuffix(text, "]")
	if !found || !closed {
		return 0, false
	}
	inode, err := strconv.ParseUint(text, 10, 64)
	return inode, err == nil
}
