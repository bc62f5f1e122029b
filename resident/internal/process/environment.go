package process

import (
	"errors"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"agentcontainers/resident/internal/fault"
	"agentcontainers/resident/internal/product"
)

const (
	defaultPath     = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	defaultTerminal = "xterm-256color"
	defaultShell    = "/bin/sh"
)

// environment is that of one process: the agent's, what its user needs, what the start says; the last word is the marker's.
func environment(agent map[string]string, who identity, s *Start, cwd, id string) map[string]string {
	merged := make(map[string]string, len(agent)+len(s.Env)+4)
	for name, value := range agent {
		merged[name] = value
	}
	// An environment that came with the agent can lack what a login would set, and has nothing of another user.
	for name, value := range who.variables() {
		if _, given := merged[name]; who.switches || !given {
			merged[name] = value
		}
	}
	merged["PWD"] = cwd
	delete(merged, "OLDPWD")
	if s.TTY != nil && merged["TERM"] == "" {
		merged["TERM"] = defaultTerminal
	}
	for name, value := range s.Env {
		if value == nil {
			delete(merged, name)
		} else {
			merged[name] = *value
		}
	}
	merged[product.Marker] = id
	return merged
}

// list gives an environment as a process takes it, with the marker first.
func list(environment map[string]string) []string {
	names := make([]string, 0, len(environment))
	for name := range environment {
		names = append(names, name)
	}
	sort.Slice(names, func(a, b int) bool {
		if first := names[a] == product.Marker; first || names[b] == product.Marker {
			return first
		}
		return names[a] < names[b]
	})
	for i, name := range names {
		names[i] = name + "=" + environment[name]
	}
	return names
}

// commandLine gives the arguments for a start, with the shell for a line.
func commandLine(s *Start, environment map[string]string) []string {
	if s.Command == nil {
		return s.Argv
	}
	return []string{shell(environment["SHELL"]), "-c", *s.Command}
}

// shell is the user's, when it is one that runs lines.
func shell(wanted string) string {
	base := filepath.Base(wanted)
	if !filepath.IsAbs(wanted) || base == "nologin" || base == "false" {
		return defaultShell
	}
	if executable(wanted) != nil {
		return defaultShell
	}
	return wanted
}

// refusedProgram says why a program was not started. What the system cannot run is like what it must not.
func refusedProgram(name string, err error) *fault.Fault {
	if errors.Is(err, syscall.ENOEXEC) {
		return fault.NotPermitted("starting %s failed: %s", quoted(name), fault.Reason(err))
	}
	return fault.FromMissing(fault.ProgramNotFound, "starting "+quoted(name), err)
}

// findProgram gives the file for a program's name, as a shell finds it.
func findProgram(name string, environment map[string]string, cwd string) (string, error) {
	if strings.Contains(name, "/") {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(cwd, path)
		}
		if err := executable(path); err != nil {
			return "", refusedProgram(name, err)
		}
		return path, nil
	}
	search := environment["PATH"]
	if search == "" {
		search = defaultPath
	}
	var refused error
	for _, directory := range filepath.SplitList(search) {
		if !filepath.IsAbs(directory) {
			directory = filepath.Join(cwd, directory)
		}
		path := filepath.Join(directory, name)
		err := executable(path)
		if err == nil {
			return path, nil
		}
		if os.IsPermission(err) {
			refused = err
		}
	}
	if refused != nil {
		return "", refusedProgram(name, refused)
	}
	return "", fault.Missing(fault.ProgramNotFound, "starting %s failed: there is no such program in PATH", quoted(name))
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return syscall.EACCES
	}
	return nil
}

// quoted shortens what comes from a request for a message.
func quoted(text string) string {
	const limit = 200
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return `"` + text + `"`
}
