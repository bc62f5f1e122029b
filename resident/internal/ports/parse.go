// Package ports finds what listens in the container.
package ports

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

const (
	// listening is the state of a socket in /proc/net/tcp.
	listening = "0A"
	// maxListeners bounds what is told.
	maxListeners = 4096
)

// Listener is one listening socket.
type Listener struct {
	Port    int    `json:"port"`
	Address string `json:"address"`
	Family  int    `json:"family"`
	PID     int    `json:"pid,omitempty"`
	Name    string `json:"name,omitempty"`
	Process string `json:"process,omitempty"`
	inode   uint64
}

// Parse reads /proc/net/tcp (family 4) or /proc/net/tcp6 (family 6). Lines that are not as documented are passed over.
func Parse(from io.Reader, family int) []Listener {
	var found []Listener
	lines := bufio.NewScanner(from)
	for lines.Scan() && len(found) < maxListeners {
		if l, ok := parseLine(lines.Text(), family); ok {
			found = append(found, l)
		}
	}
	return found
}

func parseLine(line string, family int) (Listener, bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != listening {
		return Listener{}, false
	}
	host, port, found := strings.Cut(fields[1], ":")
	number, err := strconv.ParseUint(port, 16, 16)
	if !found || err != nil || number == 0 {
		return Listener{}, false
	}
	address, ok := parseAddress(host, family)
	if !ok {
		return Listener{}, false
	}
	inode, err := strconv.ParseUint(fields[9], 10, 64)
	if err != nil {
		return Listener{}, false
	}
	return Listener{Port: int(number), Address: address.String(), Family: family, inode: inode}, true
}

// parseAddress reads the words of an address, each in the order of bytes of the machine. We build for such only that are
// little endian.
func parseAddress(text string, family int) (netip.Addr, bool) {
	size := 4
	if family == 6 {
		size = 16
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != size {
		return netip.Addr{}, false
	}
	for at := 0; at < size; at += 4 {
		binary.BigEndian.PutUint32(raw[at:], binary.LittleEndian.Uint32(raw[at:]))
	}
	address, ok := netip.AddrFromSlice(raw)
	return address, ok
}
