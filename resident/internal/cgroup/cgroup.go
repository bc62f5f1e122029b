// Package cgroup reads what the container uses, from cgroups of version 1 or 2.
package cgroup

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"

	"agentcontainers/resident/internal/proc"
)

const (
	maxFile = 1 << 20
	// unlimited is where version 1 begins to mean "no limit".
	unlimited = 1 << 62
)

// Stats are what a container uses. What is not told is nil.
type Stats struct {
	Memory Memory `json:"memory"`
	CPU    CPU    `json:"cpu"`
	PIDs   PIDs   `json:"pids"`
}

// Memory is in bytes.
type Memory struct {
	Current  *int64 `json:"current"`
	Max      *int64 `json:"max"`
	OOMKills *int64 `json:"oom_kills"`
}

// CPU is in microseconds.
type CPU struct {
	UsageUsec *int64 `json:"usage_usec"`
}

// PIDs counts tasks.
type PIDs struct {
	Current *int64 `json:"current"`
	Max     *int64 `json:"max"`
}

// Group knows where the files of this program's cgroup are.
type Group struct {
	// unified is the folder of version 2, the others are those of controllers of version 1. Empty means not there.
	unified, memory, cpuacct, pids string
}

// Find looks for the cgroup of this program.
func Find() *Group {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return &Group{}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return &Group{}
	}
	return Locate(string(membership), string(mounts), exists)
}

// Locate finds the folders from the contents of /proc/self/cgroup and /proc/self/mountinfo.
func Locate(membership, mounts string, exists func(path string) bool) *Group {
	paths := memberships(membership)
	g := &Group{}
	for _, mount := range parseMounts(mounts) {
		if mount.kind == "cgroup2" {
			if g.unified == "" {
				g.unified = place(mount, paths[""], "memory.current", exists)
			}
			continue
		}
		for controller, into := range map[string]*string{"memory": &g.memory, "cpuacct": &g.cpuacct, "pids": &g.pids} {
			if *into == "" && mount.has(controller) {
				files := map[string]string{"memory": "memory.usage_in_bytes", "cpuacct": "cpuacct.usage", "pids": "pids.current"}
				*into = place(mount, paths[controller], files[controller], exists)
			}
		}
	}
	return g
}

// Stats reads all files anew.
func (g *Group) Stats() Stats {
	var s Stats
	s.Memory.OOMKills = g.OOMKills()
	if g.unified != "" {
		s.Memory.Current = single(g.unified, "memory.current")
		s.Memory.Max = single(g.unified, "memory.max")
		s.CPU.UsageUsec = keyed(g.unified, "cpu.stat", "usage_usec")
		s.PIDs.Current = single(g.unified, "pids.current")
		s.PIDs.Max = single(g.unified, "pids.max")
		return s
	}
	s.Memory.Current = single(g.memory, "memory.usage_in_bytes")
	if s.Memory.Max = single(g.memory, "memory.limit_in_bytes"); s.Memory.Max != nil && *s.Memory.Max >= unlimited {
		s.Memory.Max = nil
	}
	if usage := single(g.cpuacct, "cpuacct.usage"); usage != nil {
		micros := *usage / 1000
		s.CPU.UsageUsec = &micros
	}
	s.PIDs.Current = single(g.pids, "pids.current")
	s.PIDs.Max = single(g.pids, "pids.max")
	return s
}

// OOMKills counts the processes that were killed since there was no memory; nil when that is not told.
func (g *Group) OOMKills() *int64 {
	if g.unified != "" {
		return keyed(g.unified, "memory.events", "oom_kill")
	}
	return keyed(g.memory, "memory.oom_control", "oom_kill")
}

// OOMKillCount is OOMKills, or 0.
func (g *Group) OOMKillCount() int64 {
	if kills := g.OOMKills(); kills != nil {
		return *kills
	}
	return 0
}

// single reads a file with one number; "max" is none.
func single(folder, name string) *int64 {
	content, ok := read(folder, name)
	if !ok {
		return nil
	}
	return ParseSingle(content)
}

// ParseSingle reads one number.
func ParseSingle(content string) *int64 {
	value, err := strconv.ParseInt(strings.TrimSpace(content), 10, 64)
	if err != nil || value < 0 {
		// Limits of version 1 can be above what fits.
		if parsed, tooLarge := strconv.ParseUint(strings.TrimSpace(content), 10, 64); tooLarge == nil && parsed > 0 {
			value = unlimited
			return &value
		}
		return nil
	}
	return &value
}

func keyed(folder, name, key string) *int64 {
	content, ok := read(folder, name)
	if !ok {
		return nil
	}
	return ParseKeyed(strings.NewReader(content), key)
}

// ParseKeyed reads the number after a key at the beginning of a line.
func ParseKeyed(from io.Reader, key string) *int64 {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if name, value, found := strings.Cut(lines.Text(), " "); found && name == key {
			return ParseSingle(value)
		}
	}
	return nil
}

func read(folder, name string) (string, bool) {
	if folder == "" {
		return "", false
	}
	content, err := proc.ReadFile(folder+"/"+name, maxFile)
	return string(content), err == nil
}
