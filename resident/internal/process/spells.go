package process

import (
	"sort"
	"syscall"
	"unsafe"
)

// maxPast bounds the spells of the past that are kept.
const maxPast = 1024

// spell is a time in which a process below this program was there, and could start others. Times are clock ticks as in
// proc.Stat, and both ends belong to it.
type spell struct {
	from, to uint64
	// command is the number of the command it belongs to, 0 when nothing tells.
	command int
	// live is its index among the processes that are there, or -1.
	live int
}

// past has the last spells that are over.
type past struct {
	spells []spell
	next   int
	// lost is the last tick of which something was forgotten.
	lost uint64
}

func (p *past) add(s spell) {
	s.live = -1
	if len(p.spells) < maxPast {
		p.spells = append(p.spells, s)
		return
	}
	p.lost = max(p.lost, p.spells[p.next].to)
	p.spells[p.next] = s
	p.next = (p.next + 1) % maxPast
}

// attribute finds out by elimination where the spells of no known command come from: when only one command was there at
// the beginning, it is its. For each other one that is live it gives the commands that it may come from, with 0 for one that nobody
// knows.
func attribute(spells []spell, lost uint64) (unsure map[int][]int) {
	unsure = map[int][]int{}
	var unknown []int
	for i, s := range spells {
		if s.command == 0 {
			unknown = append(unknown, i)
		}
	}
	sort.SliceStable(unknown, func(a, b int) bool { return spells[unknown[a]].from < spells[unknown[b]].from })
	pending := map[int]bool{}
	for _, i := range unknown {
		pending[i] = true
	}
	possible := map[int]map[int]bool{}
	for _, i := range unknown {
		delete(pending, i)
		sources := map[int]bool{}
		at := spells[i].from
		if at <= lost {
			sources[0] = true
		}
		for j, other := range spells {
			if j == i || pending[j] || other.from > at || other.to < at {
				continue
			}
			if other.command != 0 {
				sources[other.command] = true
			}
			for source := range possible[j] {
				sources[source] = true
			}
		}
		if len(sources) == 0 {
			sources[0] = true
		}
		if len(sources) == 1 && !sources[0] {
			for source := range sources {
				spells[i].command = source
			}
			continue
		}
		possible[i] = sources
		if live := spells[i].live; live >= 0 {
			for source := range sources {
				unsure[live] = append(unsure[live], source)
			}
		}
	}
	return unsure
}

// ticksPerSecond is the unit of /proc on all Linux platforms.
const ticksPerSecond = 100

const clockBoottime = 7

// ticks is the time of now, as proc.Stat has that of a start.
func ticks() uint64 {
	var now syscall.Timespec
	_, _, number := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&now)), 0)
	if number != 0 {
		return ^uint64(0)
	}
	return uint64(now.Sec)*ticksPerSecond + uint64(now.Nsec)/(1_000_000_000/ticksPerSecond)
}
