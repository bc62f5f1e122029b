package process

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

func TestWhatShowsNothingIsFoundOutByElimination(t *testing.T) {
	past := func(from, to uint64, command int) spell { return spell{from, to, command, -1} }
	there := func(from uint64, command int) spell { return spell{from, forever, command, -1} }
	orphan := func(from uint64) spell { return spell{from, forever, 0, 7} }
	for name, row := range map[string]struct {
		spells []spell
		lost   uint64
		// is the command that the orphan comes from, may those that it could be of.
		is  int
		may []int
	}{
		"the only one":                           {[]spell{there(10, 1), orphan(20)}, 0, 1, nil},
		"the only one, which is gone":            {[]spell{past(10, 30, 1), orphan(20)}, 0, 1, nil},
		"one of two":                             {[]spell{there(10, 1), there(11, 2), orphan(20)}, 0, 0, []int{1, 2}},
		"one of two, the other is gone":          {[]spell{there(10, 1), past(11, 20, 2), orphan(20)}, 0, 0, []int{1, 2}},
		"the other was gone before":              {[]spell{there(10, 1), past(11, 19, 2), orphan(20)}, 0, 1, nil},
		"the other began after it":               {[]spell{there(10, 1), there(21, 2), orphan(20)}, 0, 1, nil},
		"the other began in the same tick":       {[]spell{there(10, 1), there(20, 2), orphan(20)}, 0, 0, []int{1, 2}},
		"a child of the other was there":         {[]spell{there(10, 1), past(5, 8, 2), past(7, 30, 2), orphan(20)}, 0, 0, []int{1, 2}},
		"below another orphan of its own":        {[]spell{there(10, 1), past(15, 30, 0), orphan(20)}, 0, 1, nil},
		"an orphan from before its command":      {[]spell{there(10, 1), past(5, 8, 2), past(7, 30, 0), orphan(20)}, 0, 0, []int{1, 2}},
		"an orphan that may be of two":           {[]spell{past(1, 8, 1), past(2, 8, 2), past(7, 30, 0), there(10, 3), orphan(20)}, 0, 0, []int{1, 2, 3}},
		"too much was forgotten":                 {[]spell{there(10, 1), orphan(20)}, 20, 0, []int{0, 1}},
		"what was forgotten was over before":     {[]spell{there(10, 1), orphan(20)}, 19, 1, nil},
		"nobody was there":                       {[]spell{there(30, 1), orphan(20)}, 0, 0, []int{0}},
		"in the order of their beginning":        {[]spell{orphan(20), past(15, 30, 0), there(10, 1)}, 0, 1, nil},
		"an orphan nobody can have started":      {[]spell{past(5, 30, 0), there(10, 1), orphan(20)}, 0, 0, []int{0, 1}},
		"one that is there since the same tick":  {[]spell{there(10, 1), past(20, 30, 0), orphan(20)}, 0, 1, nil},
		"one that ended when its command began":  {[]spell{past(1, 10, 2), there(10, 1), orphan(10)}, 0, 0, []int{1, 2}},
		"two commands, of which one is the same": {[]spell{there(10, 1), past(10, 40, 1), orphan(20)}, 0, 1, nil},
	} {
		unsure := attribute(row.spells, row.lost)
		at := slices.IndexFunc(row.spells, func(s spell) bool { return s.live == 7 })
		may := unsure[7]
		slices.Sort(may)
		if row.spells[at].command != row.is || !slices.Equal(may, row.may) {
			t.Errorf("%s: of %d, may be of %v", name, row.spells[at].command, may)
		}
	}
}

// A world of commands that start and end, and of what they leave: nothing may be given to a command that it is not of.
func TestEliminationNeverGivesAnOrphanToTheWrongCommand(t *testing.T) {
	sure := 0
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 1))
		type being struct {
			spell
			truth int
		}
		var world []being
		for command := range 1 + random.IntN(4) {
			from := uint64(1 + random.IntN(100))
			world = append(world, being{spell{from, from + uint64(random.IntN(60)), command + 1, -1}, command + 1})
		}
		for range random.IntN(8) {
			parent := world[random.IntN(len(world))]
			from := parent.from + uint64(random.IntN(int(parent.to-parent.from)+1))
			child := being{spell{from, from + uint64(random.IntN(60)), 0, -1}, parent.truth}
			if random.IntN(2) == 0 {
				child.command = parent.truth
			}
			world = append(world, child)
		}
		spells := make([]spell, len(world))
		for i, b := range world {
			spells[i] = b.spell
			if spells[i].live = -1; b.command == 0 {
				spells[i].live = i
			}
		}
		unsure := attribute(spells, 0)
		for i, b := range world {
			got := spells[i].command
			if b.command == 0 && got != 0 {
				sure++
			}
			if got != 0 && got != b.truth || got == 0 && !slices.Contains(unsure[i], b.truth) {
				t.Fatalf("seed %d: %d of %+v is of %d, unsure %v", seed, i, world, got, unsure[i])
			}
		}
	}
	if sure < 100 {
		t.Errorf("only %d were found out", sure)
	}
}

func TestThePastIsBounded(t *testing.T) {
	var p past
	for i := range uint64(maxPast) {
		p.add(spell{from: i, to: i + 5})
	}
	if p.lost != 0 || len(p.spells) != maxPast {
		t.Errorf("%d, %d", p.lost, len(p.spells))
	}
	p.add(spell{from: 1, to: 9_999})
	p.add(spell{from: 2, to: 9_998})
	if p.lost != 6 || len(p.spells) != maxPast {
		t.Errorf("%d, %d", p.lost, len(p.spells))
	}
}

func TestTheTimeIsThatOfProcesses(t *testing.T) {
	p := line(t, "true")
	now := ticks()
	if p.start > now || now-p.start > 30*ticksPerSecond {
		t.Errorf("it began at %d, and it is %d", p.start, now)
	}
	ended(t, p)
}

func TestAStampIsReadByItsOwnAgentAlone(t *testing.T) {
	if shared.stamps.base == 0 {
		t.Fatal("there are no stamps here")
	}
	p := line(t, "sleep 600")
	other := newStamps("fffffff000000000")
	if number := shared.stamps.read(p.pid); number != p.number || other.read(p.pid) != 0 {
		t.Errorf("%d of %d, for another %d", number, p.number, other.read(p.pid))
	}
	if number := shared.stamps.read(os.Getpid()); number != 0 {
		t.Errorf("we have %d ourselves", number)
	}
	if newStamps("").base != 0 || newStamps("no-hex-at-all").base != 0 {
		t.Error("an instance that is none gives stamps")
	}
	killed(t, p, 0)
}
