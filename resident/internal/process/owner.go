package process

import (
	"os"

	"agentcontainers/resident/internal/proc"
	"agentcontainers/resident/internal/product"
)

// maxAncestors bounds how far up a process is followed.
const maxAncestors = 64

// OwnerOf gives the id of the process to whose tree a running process belongs, or nothing.
func (t *Table) OwnerOf(pid int) string {
	if number := t.stamps.read(pid); number != 0 {
		id := t.idOf(number)
		if _, err := t.Get(id); err == nil {
			return id
		}
	}
	if id, marked := proc.Variable(pid, product.Marker); marked {
		if _, err := t.Get(id); err == nil {
			return id
		}
	}
	for range maxAncestors {
		stat, err := proc.ReadStat(pid)
		if err != nil || stat.PID <= 1 || stat.PID == os.Getpid() {
			break
		}
		t.mu.Lock()
		main := t.mains[pid]
		if main == nil {
			main = t.mains[stat.Session]
		}
		t.mu.Unlock()
		if main != nil {
			return main.ID
		}
		pid = stat.Parent
	}
	return ""
}
