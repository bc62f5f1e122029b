// Package rundir finds the directory in which the agents of one user meet, and what stands in it.
package rundir

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// maxSocketPath is what the kernel takes as the path of a socket, less the end of the string.
const maxSocketPath = 107

// Candidates are the places for the run directory of a user, the best first.
func Candidates(uid int, xdgRuntimeDir string) []string {
	owner := strconv.Itoa(uid)
	all := []string{"/run/agentcontainers-" + owner}
	if filepath.IsAbs(xdgRuntimeDir) && !strings.ContainsRune(xdgRuntimeDir, 0) {
		all = append(all, filepath.Join(xdgRuntimeDir, "agentcontainers"))
	}
	for _, parent := range []string{"/tmp", "/dev/shm", "/var/tmp"} {
		all = append(all, parent+"/.agentcontainers-"+owner)
	}
	fitting := all[:0]
	for _, directory := range all {
		// The longest name is that of a socket that is about to be renamed.
		if len(directory)+len("/0123456789ab.sock.4194304") <= maxSocketPath {
			fitting = append(fitting, directory)
		}
	}
	return fitting
}

// Check tells why a directory cannot be trusted: it must be a real one, our own, and closed to others.
func Check(directory string) error {
	fd, err := syscall.Open(directory, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: directory, Err: err}
	}
	defer syscall.Close(fd)
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return &os.PathError{Op: "stat", Path: directory, Err: err}
	}
	if int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d", directory, stat.Uid)
	}
	if mode := stat.Mode & 0o7777; mode != 0o700 {
		return fmt.Errorf("%s has mode %04o and not 0700", directory, mode)
	}
	return nil
}

// Existing are those candidates that are there and can be trusted, also such as nothing can be written to.
func Existing(candidates []string) []string {
	var found []string
	for _, directory := range candidates {
		if Check(directory) == nil {
			found = append(found, directory)
		}
	}
	return found
}

// Prepare gives the first candidate that is there or can be made, and can be written to.
func Prepare(candidates []string) (string, error) {
	var reasons []string
	for _, directory := range candidates {
		err := prepare(directory)
		if err == nil {
			return directory, nil
		}
		reasons = append(reasons, err.Error())
	}
	return "", fmt.Errorf("no directory can be used: %s", strings.Join(reasons, "; "))
}

func prepare(directory string) error {
	// Mkdir follows no link at the end, and the mode is not left to the umask.
	if err := os.Mkdir(directory, 0o700); err == nil {
		if err := os.Chmod(directory, 0o700); err != nil {
			return err
		}
	} else if !os.IsExist(err) {
		return err
	}
	if err := Check(directory); err != nil {
		return err
	}
	probe, err := os.CreateTemp(directory, ".try-")
	if err != nil {
		return err
	}
	defer os.Remove(probe.Name())
	defer probe.Close()
	// A full file system takes the name, and then no byte.
	_, err = probe.WriteString("x")
	return err
}
