package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"agentcontainers/resident/internal/proc"
	"agentcontainers/resident/internal/product"
)

// forever is the end of a spell that is not over.
const forever = ^uint64(0)

// sighting is what one look at all processes has shown.
type sighting struct {
	stats []proc.Stat
	// owner is the tree that each belongs to, command the number of the command that it shows by itself to come from, or 0.
	owner   []*tree
	command []int

	self, ownSession int
}

// look lists all processes, and finds those that show by themselves where they belong, without their parents.
func (t *Table) look(trees []*tree) (*sighting, error) {
	stats, mains, err := t.snapshot()
	if err != nil {
		return nil, err
	}
	seen := &sighting{stats: stats, owner: make([]*tree, len(stats)), command: make([]int, len(stats)), self: os.Getpid()}
	numbers := numberTrees(trees)
	for _, s := range stats {
		if s.PID == seen.self {
			seen.ownSession = s.Session
		}
	}
	forgetReusedSessions(trees, stats, mains)
	for i, s := range stats {
		if s.PID == seen.self || s.PID == 1 {
			continue
		}
		for _, tree := range trees {
			if tree.known[of(s)] {
				seen.owner[i] = tree
			}
		}
		if main := mains[s.PID]; main != 0 {
			seen.command[i] = main
			if tree := numbers.tree(main); tree != nil {
				seen.owner[i] = tree
			}
		} else if seen.owner[i] == nil {
			seen.command[i], seen.owner[i] = t.origin(s, mains, numbers)
			if seen.command[i] == 0 && s.Parent == seen.self {
				// What has ended since the list was made has nothing to show any more.
				now, err := proc.ReadStat(s.PID)
				if proc.IsGone(err) || err == nil && (of(now) != of(s) || now.Ended()) {
					stats[i].State = 'X'
				}
			}
		}
	}
	return seen, nil
}

// byNumber has trees by the numbers of their commands.
type byNumber map[int]*tree

func numberTrees(trees []*tree) byNumber {
	numbers := make(byNumber, len(trees))
	for _, tree := range trees {
		numbers[tree.process.number] = tree
	}
	return numbers
}

// tree gives that of a command. What is of no known command is of no tree.
func (b byNumber) tree(command int) *tree {
	if command == 0 {
		return nil
	}
	return b[command]
}

// snapshot gives all processes, and the numbers of the commands by their main processes.
func (t *Table) snapshot() ([]proc.Stat, map[int]int, error) {
	if t.stamps.base == 0 {
		// A main process that is not entered yet would look like one that nobody has started.
		t.stamps.turn.Lock()
		defer t.stamps.turn.Unlock()
	}
	stats, err := proc.List()
	if err != nil {
		return nil, nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	mains := make(map[int]int, len(t.mains))
	for pid, p := range t.mains {
		mains[pid] = p.number
	}
	return stats, mains, nil
}

// forgetReusedSessions gives up the session of a main process whose number has gone to another one.
func forgetReusedSessions(trees []*tree, stats []proc.Stat, mains map[int]int) {
	for _, tree := range trees {
		if number := mains[tree.process.pid]; number != 0 && number == tree.process.number {
			continue
		}
		for _, s := range stats {
			if s.PID == tree.process.pid && s.Start != tree.process.start {
				delete(tree.sessions, s.PID)
			}
		}
	}
}

// origin gives the number of the command that a process shows to come from, or 0, and its tree, when that is looked for.
func (t *Table) origin(s proc.Stat, mains map[int]int, numbers byNumber) (command int, owner *tree) {
	command = t.stamps.read(s.PID)
	if s.Ended() {
		return command, nil
	}
	if tree := numbers.tree(command); tree != nil && s.Start >= tree.process.start {
		return command, tree
	}
	if id, marked := proc.Variable(s.PID, product.Marker); marked {
		marker := t.numberOf(id)
		if tree := numbers.tree(marker); tree != nil && s.Start >= tree.process.start {
			return marker, tree
		}
		if command == 0 {
			command = marker
		}
	}
	if command == 0 {
		command = mains[s.Session]
	}
	return command, nil
}

// idOf gives the id of the process with a number.
func (t *Table) idOf(number int) string { return fmt.Sprintf("%.4s-%d", t.config.Instance, number) }

// numberOf gives the number in an id of this agent, or 0.
func (t *Table) numberOf(id string) int {
	digits, own := strings.CutPrefix(id, fmt.Sprintf("%.4s-", t.config.Instance))
	number, err := strconv.Atoi(digits)
	if !own || err != nil || number < 0 {
		return 0
	}
	return number
}
