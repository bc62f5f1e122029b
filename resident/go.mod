module agentcontainers/resident

go 1.24
