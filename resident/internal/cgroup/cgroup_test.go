package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheFilesAreFoundWhereverTheyAreMounted(t *testing.T) {
	const v1 = `41 40 0:33 /docker/abc /sys/fs/cgroup/memory ro,nosuid - cgroup memory rw,memory
42 40 0:34 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cpu,cpuacct rw,cpu,cpuacct
43 40 0:35 / /sys/fs/cgroup/pids ro shared:9 - cgroup pids rw,pids
44 40 0:36 / /sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw`
	const members1 = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n2:pids:/docker/abc\n0::/docker/abc\n"
	const v2 = `30 29 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate`
	for _, row := range []struct {
		name, members, mounts string
		files                 string
		expected              Group
	}{
		{"version 1 in a container", members1, v1, "/sys/fs/cgroup/memory/memory.usage_in_bytes /sys/fs/cgroup/cpu,cpuacct/cpuacct.usage /sys/fs/cgroup/pids/docker/abc/pids.current",
			Group{"", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/pids/docker/abc"}},
		{"version 2 of its own", "0::/\n", v2, "/sys/fs/cgroup/memory.current", Group{unified: "/sys/fs/cgroup"}},
		{"version 2 of the host", "0::/docker/abc\n", v2, "/sys/fs/cgroup/docker/abc/memory.current", Group{unified: "/sys/fs/cgroup/docker/abc"}},
		{"a path that is not below", "0::/../../other\n", v2, "/sys/fs/cgroup/memory.current", Group{unified: "/sys/fs/cgroup"}},
		{"a name that only begins alike", "0::/docker/abcdef\n", strings.Replace(v2, "0:26 /", "0:26 /docker/abc", 1), "/sys/fs/cgroup/def/memory.current", Group{}},
		{"nothing", "", "", "", Group{}},
		{"nonsense", "a\n:::\n0::\n", "x - cgroup\n - cgroup2 \n1 2 3 4 5 6 - cgroup2", "", Group{}},
	} {
		got := Locate(row.members, row.mounts, func(path string) bool { return strings.Contains(" "+row.files+" ", " "+path+" ") })
		if *got != row.expected {
			t.Errorf("%s: %+v", row.name, *got)
		}
	}
}

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func show(s Stats) string {
	var out []string
	for _, value := range []*int64{s.Memory.Current, s.Memory.Max, s.Memory.OOMKills, s.CPU.UsageUsec, s.PIDs.Current, s.PIDs.Max} {
		if value == nil {
			out = append(out, "-")
		} else {
			out = append(out, fmt.Sprint(*value))
		}
	}
	return strings.Join(out, " ")
}

func TestBothVersionsAreRead(t *testing.T) {
	two := write(t, map[string]string{
		"memory.current": "4096\n", "memory.max": "max\n", "memory.events": "low 0\noom 2\noom_kill 3\n", "cpu.stat": "usage_usec 55\nuser_usec 1\n",
		"pids.current": "7\n", "pids.max": "100\n",
	})
	if got := show((&Group{unified: two}).Stats()); got != "4096 - 3 55 7 100" {
		t.Error(got)
	}
	one := write(t, map[string]string{
		"memory.usage_in_bytes": "8192\n", "memory.limit_in_bytes": "9223372036854771712\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
		"cpuacct.usage": "123456\n", "pids.current": "1\n", "pids.max": "max\n",
	})
	if got := show((&Group{memory: one, cpuacct: one, pids: one}).Stats()); got != "8192 - 4 123 1 -" {
		t.Error(got)
	}
	if got := show((&Group{}).Stats()); got != "- - - - - -" {
		t.Error(got)
	}
	broken := write(t, map[string]string{"memory.current": "", "memory.max": "18446744073709551615", "memory.events": "oom_kill x", "cpu.stat": strings.Repeat("a", 100_000), "pids.current": "-1"})
	if got := show((&Group{unified: broken}).Stats()); got != "- 4611686018427387904 - - - -" {
		t.Error(got)
	}
}

func TestThisMachineCanBeAsked(t *testing.T) {
	Find().Stats()
}

func FuzzCgroup(f *testing.F) {
	f.Add("0::/docker/abc\n", "30 29 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw", "oom_kill 3")
	f.Fuzz(func(t *testing.T, members, mounts, content string) {
		Locate(members, mounts, func(string) bool { return true })
		if value := ParseKeyed(strings.NewReader(content), "oom_kill"); value != nil && *value < 0 {
			t.Error(*value)
		}
	})
}
