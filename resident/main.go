// The resident owns the commands and terminals of one container. docs/design/resident.md has its protocol.
package main

import (
	"fmt"
	"os"

	"agentcontainers/resident/internal/agent"
	"agentcontainers/resident/internal/connect"
	"agentcontainers/resident/internal/greeting"
	"agentcontainers/resident/internal/product"
	"agentcontainers/resident/internal/rundir"
)

const usage = `usage: resident agent | connect [--digest <sha256>] | --version
`

func main() {
	agent.Tune()
	os.Exit(run(os.Args[1:]))
}

func candidates() []string { return rundir.Candidates(os.Geteuid(), os.Getenv("XDG_RUNTIME_DIR")) }

func run(arguments []string) int {
	switch {
	case len(arguments) == 1 && arguments[0] == "--version":
		fmt.Println(product.Name, product.Version, product.Protocol)
		return 0
	case len(arguments) >= 1 && arguments[0] == "agent":
		return agent.Run()
	case len(arguments) == 1 && arguments[0] == "connect":
		return connect.Run("", candidates())
	case len(arguments) == 3 && arguments[0] == "connect" && arguments[1] == "--digest" && greeting.IsDigest(arguments[2]):
		return connect.Run(arguments[2], candidates())
	}
	fmt.Fprint(os.Stderr, usage)
	return 2
}
