package proc

import (
	"bytes"
	"strconv"
)

// SoftLimit gives the soft resource limit of a process that has this name in /proc/<pid>/limits. Everybody may read it,
// also of what runs as another user. It is not found when it is unlimited.
func SoftLimit(pid int, name string) (value uint64, found bool) {
	content, err := readSmall("/proc/" + strconv.Itoa(pid) + "/limits")
	if err != nil {
		return 0, false
	}
	return FindSoftLimit(content, name)
}

// FindSoftLimit finds a limit in the content of a limits file.
func FindSoftLimit(content []byte, name string) (value uint64, found bool) {
	for line := range bytes.Lines(content) {
		rest, is := bytes.CutPrefix(line, []byte(name+" "))
		if !is {
			continue
		}
		fields := bytes.Fields(rest)
		if len(fields) < 2 {
			return 0, false
		}
		value, err := strconv.ParseUint(string(fields[0]), 10, 64)
		return value, err == nil
	}
	return 0, false
}
