package process

import (
	"slices"
	"syscall"
	"time"

	"agentcontainers/resident/internal/proc"
)

const (
	firstPause = 5 * time.Millisecond
	lastPause  = 100 * time.Millisecond
	// killTime bounds how long what does not die is killed again.
	killTime = 5 * time.Second
	// stopRounds bounds how often new processes of a tree are looked for before what is there is killed.
	stopRounds = 40
	// cleanScans is how many scans in a row must find nothing: one can miss what starts another and ends meanwhile.
	cleanScans = 2
	// refusals is how often in a row the kernel may refuse everything before what is left counts as surviving.
	refusals = 3
)

// endTrees ends trees, and notes what survives. With all, it ends whatever is below this program.
func (t *Table) endTrees(processes []*Process, all bool, k *killing) {
	var trees []*tree
	for _, p := range processes {
		trees = append(trees, newTree(p))
	}
	if all {
		trees = append(trees, newRest(t))
	}
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, tree := range trees {
			p := tree.process
			p.killing, p.survivors = nil, []int{}
			for _, s := range slices.Concat(tree.members, tree.suspects) {
				p.survivors = append(p.survivors, s.PID)
			}
			if p.exit != nil {
				exit := *p.exit
				exit.Survivors = p.survivors
				p.exit = &exit
			}
		}
		close(k.done)
	}()
	if left := t.terminate(trees, k); len(left) > 0 {
		t.destroy(left)
	}
}

// terminate asks all members to end and waits until the grace is over. It gives the trees that are not gone.
func (t *Table) terminate(trees []*tree, k *killing) []*tree {
	told := map[instance]bool{}
	pause := firstPause
	for clean := 0; ; {
		left, listed := trees, t.scanOrGuess(trees)
		if listed {
			left = alive(trees)
		}
		if len(left) > 0 {
			clean = 0
		} else if clean++; clean < cleanScans {
			continue
		}
		t.mu.Lock()
		rest := time.Until(k.deadline)
		t.mu.Unlock()
		if len(left) == 0 || rest <= 0 {
			return left
		}
		for _, tree := range left {
			for _, s := range tree.surely(listed) {
				if !told[of(s)] {
					told[of(s)] = true
					t.askToEnd(tree, s)
				}
			}
		}
		t.pause(trees, k, min(pause, rest))
		pause = min(2*pause, lastPause)
	}
}

// scanOrGuess finds the members of trees. When processes cannot be listed, for want of open files for instance, it is false:
// then they are those of the last scan, and the main processes that were not reaped, which are known without.
func (t *Table) scanOrGuess(trees []*tree) (listed bool) {
	if t.scan(trees) == nil {
		return true
	}
	t.guess(trees)
	return false
}

func (t *Table) guess(trees []*tree) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tree := range trees {
		p := tree.process
		tree.members = slices.DeleteFunc(tree.members, func(s proc.Stat) bool { return s.PID == p.pid })
		if t.mains[p.pid] == p {
			tree.members = append(tree.members, proc.Stat{PID: p.pid, Group: p.pid, Session: p.pid, Start: p.start})
		}
	}
}

// surely are the members that are what they were: without a list only the main process, whose number is its own until it is
// reaped.
func (t *tree) surely(listed bool) []proc.Stat {
	if listed {
		return t.members
	}
	var main []proc.Stat
	for _, s := range t.members {
		if s.PID == t.process.pid {
			main = append(main, s)
		}
	}
	return main
}

// askToEnd also wakes what is stopped. Shells in terminals end by HUP alone.
func (t *Table) askToEnd(tree *tree, s proc.Stat) {
	_ = t.send(tree, s, syscall.SIGTERM)
	if tree.process.terminal != nil {
		_ = t.send(tree, s, syscall.SIGHUP)
	}
	_ = t.send(tree, s, syscall.SIGCONT)
}

// pause waits, and shorter when the main process of a single tree ends or the grace was cut.
func (t *Table) pause(trees []*tree, k *killing, at time.Duration) {
	timer := time.NewTimer(at)
	defer timer.Stop()
	var main <-chan struct{}
	if len(trees) == 1 {
		t.mu.Lock()
		if p := trees[0].process; !p.reaped {
			main = p.reapedNow
		}
		t.mu.Unlock()
	}
	select {
	case <-timer.C:
	case <-main:
	case <-k.sooner:
	}
}

// destroy kills until nothing is found any more. What is stopped first cannot start anything new meanwhile.
func (t *Table) destroy(trees []*tree) {
	deadline := time.Now().Add(killTime)
	ownGroup := syscall.Getpgrp()
	pause := time.Millisecond
	for clean, refused := 0, 0; clean < cleanScans && refused < refusals && time.Now().Before(deadline); {
		listed := t.stop(trees, ownGroup) == nil
		if !listed {
			t.guess(trees)
		}
		left := alive(trees)
		if listed && len(left) == 0 {
			clean++
			continue
		}
		clean = 0
		// What cannot be listed may be there, and it can be listed again later.
		reached := !listed
		for _, tree := range left {
			sendGroups(tree.surely(listed), ownGroup, syscall.SIGKILL)
			for _, s := range tree.members {
				reached = t.send(tree, s, syscall.SIGKILL) == nil || reached
			}
		}
		if refused++; reached {
			refused = 0
		}
		time.Sleep(pause)
		pause = min(2*pause, lastPause/2)
	}
	t.scanOrGuess(trees)
}

// stop stops all members until a scan finds no new ones.
func (t *Table) stop(trees []*tree, ownGroup int) error {
	stopped := map[instance]bool{}
	for range stopRounds {
		if err := t.scan(trees); err != nil {
			return err
		}
		fresh := false
		for _, tree := range trees {
			var members []proc.Stat
			for _, s := range tree.members {
				if !stopped[of(s)] {
					stopped[of(s)], fresh = true, true
					members = append(members, s)
				}
			}
			sendGroups(members, ownGroup, syscall.SIGSTOP)
			for _, s := range members {
				_ = t.send(tree, s, syscall.SIGSTOP)
			}
		}
		if !fresh {
			return nil
		}
	}
	return nil
}

func alive(trees []*tree) []*tree {
	var left []*tree
	for _, tree := range trees {
		if len(tree.members) > 0 {
			left = append(left, tree)
		}
	}
	return left
}
