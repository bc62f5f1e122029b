package process

import (
	"agentcontainers/resident/internal/proc"
)

// tree is what belongs to one process: its descendants, the sessions of these, and all with its stamp or its marker.
type tree struct {
	process *Process
	// known are those that were seen before. Their parents may be gone by now.
	known map[instance]bool
	// sessions are those that began in the tree.
	sessions map[int]bool
	// members are those that were alive in the last scan.
	members []proc.Stat
	// suspects are those of the last scan that may have come from it, or from another one.
	suspects []proc.Stat
	// rest marks the tree that takes whatever below this program is in no other.
	rest bool
}

// instance names one process for good: numbers are used again.
type instance struct {
	pid   int
	start uint64
}

func newTree(p *Process) *tree {
	return &tree{process: p, known: map[instance]bool{}, sessions: map[int]bool{p.pid: true}}
}

// newRest is the tree of all that is left when everything has to end.
func newRest(t *Table) *tree {
	return &tree{process: &Process{table: t, reaped: true}, known: map[instance]bool{}, sessions: map[int]bool{}, rest: true}
}

func of(s proc.Stat) instance { return instance{s.PID, s.Start} }

// scan finds the members of trees. It reads /proc once for all of them.
func (t *Table) scan(trees []*tree) error {
	seen, err := t.look(trees)
	if err != nil {
		return err
	}
	for _, tree := range trees {
		tree.members, tree.suspects = tree.members[:0], tree.suspects[:0]
	}
	seen.spread(trees)
	if t.adopt(trees, seen) {
		seen.spread(trees)
	}
	for i, s := range seen.stats {
		if tree := seen.owner[i]; tree != nil {
			tree.known[of(s)] = true
			if !s.Ended() {
				tree.members = append(tree.members, s)
			}
		}
	}
	return nil
}

// spread gives children and sessions of members to their trees, until there are no more.
func (seen *sighting) spread(trees []*tree) {
	for changed := true; changed; {
		changed = seen.spreadOnce(trees)
	}
}

func (seen *sighting) spreadOnce(trees []*tree) (changed bool) {
	byPID := make(map[int]*tree, len(seen.stats))
	for i, s := range seen.stats {
		tree := seen.owner[i]
		if tree == nil {
			continue
		}
		byPID[s.PID] = tree
		if s.Session > 1 && s.Session != seen.ownSession {
			tree.sessions[s.Session] = true
		}
	}
	bySession := make(map[int]*tree, len(trees))
	for _, tree := range trees {
		for session := range tree.sessions {
			bySession[session] = tree
		}
	}
	for i, s := range seen.stats {
		if seen.owner[i] != nil || s.PID == seen.self || s.PID == 1 {
			continue
		}
		if tree := byPID[s.Parent]; tree != nil {
			seen.owner[i], changed = tree, true
		} else if tree := bySession[s.Session]; tree != nil && seen.mayBeOf(i, tree) {
			seen.owner[i], changed = tree, true
		}
	}
	return changed
}

// mayBeOf says that a process shows by itself nothing against a tree. The number of a session that has ended is used again,
// and then what shows another command is of that one.
func (seen *sighting) mayBeOf(i int, tree *tree) bool {
	return tree.rest || seen.command[i] == 0 || seen.command[i] == tree.process.number
}
