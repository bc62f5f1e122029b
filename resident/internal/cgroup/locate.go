package cgroup

import (
	"os"
	"path/filepath"
	"strings"
)

// memberships gives the path of this program by controller, that of version 2 under the empty name.
func memberships(content string) map[string]string {
	paths := map[string]string{}
	for line := range strings.SplitSeq(content, "\n") {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			paths[controller] = fields[2]
		}
	}
	return paths
}

type mount struct {
	root, point, kind string
	options           []string
}

func (m mount) has(option string) bool {
	for _, o := range m.options {
		if o == option {
			return true
		}
	}
	return false
}

// parseMounts gives the mounts of cgroups. Fields are as in proc(5); lines that are not are passed over.
func parseMounts(content string) []mount {
	var mounts []mount
	for line := range strings.SplitSeq(content, "\n") {
		before, after, found := strings.Cut(line, " - ")
		first, second := strings.Fields(before), strings.Fields(after)
		if !found || len(first) < 6 || len(second) < 3 || second[0] != "cgroup" && second[0] != "cgroup2" {
			continue
		}
		mounts = append(mounts, mount{unescape(first[3]), unescape(first[4]), second[0], strings.Split(second[2], ",")})
	}
	return mounts
}

func unescape(text string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(text)
}

// place is the folder of our cgroup under a mount, which can begin at the same cgroup or above it.
func place(m mount, path, file string, exists func(string) bool) string {
	if path == "" {
		return ""
	}
	if below, within := strings.CutPrefix(path, strings.TrimSuffix(m.root, "/")); within && (below == "" || below[0] == '/') {
		if folder := filepath.Join(m.point, below); exists(filepath.Join(folder, file)) {
			return folder
		}
	}
	// Seen from inside a container both can be paths of the host.
	if exists(filepath.Join(m.point, file)) {
		return m.point
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
