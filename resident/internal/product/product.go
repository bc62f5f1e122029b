// Package product names the program and the protocol that it speaks.
package product

import "time"

// Version is the release of the program.
const Version = "0.1.0"

// Protocol changes when a daemon of before could misread this program, or the other way round.
const Protocol = 1

// Name is what `--version` prints first.
const Name = "agentcontainers-resident"

// Marker is the environment variable by which the processes of a command are found again.
const Marker = "AGENTCONTAINERS_PROCESS"

// RunID is the environment variable by which a daemon finds all agents of a container without their help.
const RunID = "AGENTCONTAINERS_RUN_ID"

// Time gives a time as the protocol has it.
func Time(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
