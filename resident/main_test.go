package main

import (
	"fmt"
	"os"
	"testing"

	"agentcontainers/resident/internal/agent"
	"agentcontainers/resident/internal/connect"
	"agentcontainers/resident/internal/rundir"
)

// testRoot names the folder in which an agent of a test meets its daemon. The test program is the resident then.
const testRoot = "RESIDENT_TEST_ROOT"

// runOfThisTest is the mark of all agents that these tests start.
var runOfThisTest = fmt.Sprintf("run-of-%d", os.Getpid())

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == become {
		becomeAnother(os.Args[2:])
	}
	if len(os.Args) > 1 && (os.Args[1] == "agent" || os.Args[1] == "connect") {
		agent.Tune()
		if os.Args[1] == "agent" {
			reportRaces()
			os.Exit(agent.Run())
		}
		digest := ""
		if len(os.Args) > 3 {
			digest = os.Args[3]
		}
		os.Exit(connect.Run(digest, []string{os.Getenv(testRoot) + "/first", os.Getenv(testRoot) + "/second"}))
	}
	code := m.Run()
	if races := racesOf(runOfThisTest); races != "" {
		fmt.Fprintf(os.Stderr, "races in agents:\n%s", races)
		code = 1
	}
	os.Exit(code)
}

func TestTheDirectoriesAreThoseOfThisUser(t *testing.T) {
	all := candidates()
	if len(all) < 4 || all[0] != fmt.Sprintf("/run/agentcontainers-%d", os.Geteuid()) {
		t.Errorf("%v", all)
	}
	if got := run([]string{"connect", "--digest", "../../etc"}); got != 2 {
		t.Errorf("a digest that is none gave %d", got)
	}
	if digest, err := rundir.OwnDigest(); err != nil || len(digest) != 64 {
		t.Error(err)
	}
}
