package connect

import (
	"bufio"
	"net"
	"strings"
	"testing"
)

func TestWhatCouldNotBeHandedOverIsTold(t *testing.T) {
	path := t.TempDir() + "/socket"
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	connection, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	connection.Close()
	if wait(bufio.NewReader(strings.NewReader("")), &found{connection: connection, from: bufio.NewReader(connection)}) {
		t.Error("it counts as given")
	}
}
