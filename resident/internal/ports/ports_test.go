package ports

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const tcp4 = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1 0000000000000000 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 112 1 0000000000000000 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 113 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:0000 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 114 1
   4: XX00007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 115 1
   5: 0100007F 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 116 1
   6: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 x 1
`

const tcp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:0BB8 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 211 1
   1: 00000000000000000000000000000000:0BB9 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 212 1
   2: 0000000000000000FFFF00000100007F:0BBA 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 213 1
`

func TestListenersAreRead(t *testing.T) {
	for family, row := range map[int]struct{ content, expected string }{
		4: {tcp4, "127.0.0.1:8080/111 0.0.0.0:80/112"},
		6: {tcp6, "::1:3000/211 :::3001/212 ::ffff:127.0.0.1:3002/213"},
	} {
		var got []string
		for _, l := range Parse(strings.NewReader(row.content), family) {
			got = append(got, fmt.Sprintf("%s:%d/%d", l.Address, l.Port, l.inode))
		}
		if text := strings.Join(got, " "); text != row.expected {
			t.Errorf("%d: %s", family, text)
		}
	}
	if got := Parse(strings.NewReader(tcp6), 4); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestThisProgramsListenerHasItsProcess(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	all, err := List()
	if err != nil {
		t.Fatal(err)
	}
	again, err := List()
	if err != nil || !Same(all, again) && len(all) == len(again) {
		t.Errorf("two lists differ: %v", err)
	}
	Name(all, func(pid int) string { return fmt.Sprintf("process of %d", pid) })
	for _, l := range all {
		if l.Port == port && l.Address == "127.0.0.1" {
			if l.PID != os.Getpid() || l.Process != fmt.Sprintf("process of %d", os.Getpid()) || l.Name == "" {
				t.Errorf("%+v", l)
			}
			return
		}
	}
	t.Errorf("%d is not in %+v", port, all)
}

func TestRootFindsTheSocketsOfOthers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "100")
	child.ExtraFiles = []*os.File{file}
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	if err := child.Start(); err != nil {
		t.Skip(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	file.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		all, err := List()
		if err != nil {
			t.Fatal(err)
		}
		Name(all, func(int) string { return "" })
		for _, l := range all {
			if l.Port == port && l.PID == child.Process.Pid {
				return
			}
		}
	}
	t.Error("it is not found")
}

func FuzzPorts(f *testing.F) {
	f.Add(tcp4, 4)
	f.Add(tcp6, 6)
	f.Fuzz(func(t *testing.T, content string, family int) {
		for _, l := range Parse(strings.NewReader(content), family) {
			if l.Port < 1 || l.Port > 65535 || net.ParseIP(l.Address) == nil {
				t.Errorf("%+v", l)
			}
		}
	})
}
