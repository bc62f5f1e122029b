package process

import "slices"

// adopt gives trees those children of this program whose parents are gone and that show nothing of where they come from:
// what has cleared its environment, left its session and set its own limits. It is a tree's when nothing else below this
// program was there when it began. What may be of several is only suspected. It tells whether any tree has grown.
func (t *Table) adopt(trees []*tree, seen *sighting) (grown bool) {
	if i := slices.IndexFunc(trees, func(tree *tree) bool { return tree.rest }); i >= 0 {
		return seen.takeRest(trees[i])
	}
	spells, isOpen := seen.spells()
	if !isOpen {
		return false
	}
	t.mu.Lock()
	spells = append(spells, t.past.spells...)
	lost := t.past.lost
	t.mu.Unlock()
	unsure := attribute(spells, lost)
	numbers := numberTrees(trees)
	for _, s := range spells {
		if s.live < 0 {
			continue
		}
		if tree := numbers.tree(s.command); tree != nil {
			seen.owner[s.live], grown = tree, true
		}
		for _, tree := range trees {
			sources := unsure[s.live]
			if slices.Contains(sources, tree.process.number) || slices.Contains(sources, 0) && tree.process.start <= s.from {
				tree.suspects = append(tree.suspects, seen.stats[s.live])
			}
		}
	}
	return grown
}

// takeRest gives a tree all children of this program that are in no other.
func (seen *sighting) takeRest(rest *tree) (grown bool) {
	for i, s := range seen.stats {
		if seen.owner[i] == nil && s.Parent == seen.self {
			seen.owner[i], grown = rest, true
		}
	}
	return grown
}

// spells are those of what is there. isOpen says that there is one of which it has to be found out where it comes from.
func (seen *sighting) spells() (spells []spell, isOpen bool) {
	for i, s := range seen.stats {
		command := seen.command[i]
		if tree := seen.owner[i]; tree != nil {
			command = tree.process.number
		}
		switch {
		case command != 0:
			spells = append(spells, spell{from: s.Start, to: forever, command: command, live: -1})
		case s.Parent == seen.self && s.Ended():
			spells = append(spells, spell{from: s.Start, to: forever, live: -1})
		case s.Parent == seen.self:
			spells = append(spells, spell{from: s.Start, to: forever, live: i})
			isOpen = true
		}
	}
	return spells, isOpen
}
