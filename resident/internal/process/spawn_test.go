package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"agentcontainers/resident/internal/accounts"
	"agentcontainers/resident/internal/fault"
)

func TestTheExitIsToldAsItWas(t *testing.T) {
	for request, expected := range map[string]string{
		`{"argv":["true"]}`:                          "0 - exit",
		`{"argv":["sh","-c","exit 7"]}`:              "7 - exit",
		`{"command":"exit 8"}`:                       "8 - exit",
		`{"command":"kill -9 $$"}`:                   "- SIGKILL signal",
		`{"argv":["sh","-c","kill -SEGV $$"]}`:       "- SIGSEGV signal",
		`{"command":"exec >&- 2>&-; exit 3"}`:        "3 - exit",
		`{"command":"exit 4","merged":true}`:         "4 - exit",
		`{"command":"exit 5","background":true}`:     "5 - exit",
		`{"command":"trap '' TERM; kill $$;exit 6"}`: "6 - exit",
	} {
		p := start(t, "%s", request)
		exit := ended(t, p)
		code, signal := "-", "-"
		if exit.Code != nil {
			code = fmt.Sprint(*exit.Code)
		}
		if exit.Signal != nil {
			signal = *exit.Signal
		}
		if got := code + " " + signal + " " + exit.Reason; got != expected || exit.BackgroundHeld || len(exit.Survivors) != 0 {
			t.Errorf("%s: %s, expected %s (%+v)", request, got, expected, exit)
		}
		if info := p.Info(); info.Running || info.PID < 2 || info.StartedAt > exit.At {
			t.Errorf("%s: %+v", request, info)
		}
	}
}

func TestOutputIsSplitOrMerged(t *testing.T) {
	const command = "echo out; echo err >&2"
	p := line(t, command)
	ended(t, p)
	all, second := split(t, p)
	if len(all) != 8 || second != "err\n" {
		t.Errorf("%q, of it %q on stderr", all, second)
	}
	p = start(t, `{"command":%q,"merged":true}`, command)
	ended(t, p)
	if all, second = split(t, p); all != "out\nerr\n" || second != "" {
		t.Errorf("merged: %q, of it %q on stderr", all, second)
	}
}

func TestTheEnvironmentIsMerged(t *testing.T) {
	p := start(t, `{"command":"echo $FROM_AGENT,$ADDED,${REMOVED-gone},$PWD,$AGENTCONTAINERS_PROCESS,${TERM-none}",
		"env":{"ADDED":"a b","REMOVED":null,"AGENTCONTAINERS_PROCESS":"false"},"cwd":"/usr/../tmp/"}`)
	ended(t, p)
	if got, expected := everything(t, p), "yes,a b,gone,/tmp,"+p.ID+",none\n"; got != expected {
		t.Errorf("%q, expected %q", got, expected)
	}
	p = start(t, `{"argv":["env"],"env":{"PATH":null}}`)
	ended(t, p)
	if !strings.HasPrefix(everything(t, p), "AGENTCONTAINERS_PROCESS="+p.ID+"\n") {
		t.Errorf("%q", everything(t, p))
	}
}

func TestTheAgentsOwnUserHasWhatALoginSets(t *testing.T) {
	own, err := accounts.ByUID(uint32(os.Geteuid()))
	if err != nil {
		t.Skip("this user has no entry")
	}
	p := line(t, "echo $HOME,$USER,$LOGNAME")
	ended(t, p)
	if got, expected := everything(t, p), own.Home+","+own.Name+","+own.Name+"\n"; got != expected {
		t.Errorf("%q, expected %q", got, expected)
	}
	p = start(t, `{"argv":["env"],"env":{"HOME":"/elsewhere","USER":null}}`)
	ended(t, p)
	if got := everything(t, p); !strings.Contains(got, "\nHOME=/elsewhere\n") || strings.Contains(got, "\nUSER=") {
		t.Errorf("%q", got)
	}
}

func TestWhatTheAgentWasGivenIsNotReplaced(t *testing.T) {
	who := identity{Account: accounts.Account{Name: "dev", UID: 1000, GID: 1000, Home: "/home/dev", Shell: "/bin/zsh"}}
	given := map[string]string{"HOME": "/given", "SHELL": ""}
	got := environment(given, who, &Start{}, "/", "x-1")
	if got["HOME"] != "/given" || got["SHELL"] != "" || got["USER"] != "dev" || got["LOGNAME"] != "dev" {
		t.Errorf("%v", got)
	}
	who.switches = true
	if got = environment(given, who, &Start{}, "/", "x-1"); got["HOME"] != "/home/dev" || got["SHELL"] != "/bin/zsh" {
		t.Errorf("another user: %v", got)
	}
}

// What one user's profiles set, and can be written by what runs as that user, is not for another one.
func TestTheEnvironmentThatIsGivenLaterIsForTheAgentsUserAlone(t *testing.T) {
	root(t)
	given := map[string]string{"PATH": os.Getenv("PATH"), "LD_OF_A_PROFILE": "x"}
	shared.SetEnvironment(given)
	defer shared.SetEnvironment(nil)
	for user, expected := range map[string]string{"0": "x ", "12345": " yes"} {
		p := start(t, `{"argv":["/bin/sh","-c","echo \"$LD_OF_A_PROFILE $FROM_AGENT\""],"cwd":"/","user":%q}`, user)
		ended(t, p)
		if got := everything(t, p); got != expected+"\n" {
			t.Errorf("as %s: %q", user, got)
		}
	}
}

func TestThePlaceIsTheWorkspaceUnlessSaidOtherwise(t *testing.T) {
	workspace, err := filepath.EvalSymlinks(shared.config.Workspace)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(workspace+"/below", 0o755); err != nil {
		t.Fatal(err)
	}
	for cwd, expected := range map[string]string{"": workspace, "below": workspace + "/below", "/": "/"} {
		p := start(t, `{"argv":["pwd"],"cwd":%q}`, cwd)
		ended(t, p)
		if got := strings.TrimSpace(everything(t, p)); got != expected {
			t.Errorf("%q: %s", cwd, got)
		}
	}
}

func TestAProgramIsFoundAsAShellFindsIt(t *testing.T) {
	directory := t.TempDir()
	write := func(name, content string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("mine", "#!/bin/sh\necho $0\n", 0o755)
	write("closed", "#!/bin/sh\n", 0o644)
	write("lost", "#!/not/there\n", 0o755)
	write("text", "echo hi\n", 0o755)
	for program, path := range map[string]string{"mine": directory, "./mine": "", directory + "/mine": ""} {
		p := start(t, `{"argv":[%q],"cwd":%q,"env":{"PATH":%q}}`, program, directory, "/usr/bin:/bin:"+path)
		if exit := ended(t, p); *exit.Code != 0 || strings.TrimSpace(everything(t, p)) != directory+"/mine" && everything(t, p) != "./mine\n" {
			t.Errorf("%s: %+v %q", program, exit, everything(t, p))
		}
	}
	for request, answer := range map[string]string{
		`{"argv":["no-such-program"]}`:                             "404 program-not-found",
		`{"argv":["./no-such-program"]}`:                           "404 program-not-found",
		`{"argv":["/"]}`:                                           "403 not-permitted",
		`{"argv":["true"],"cwd":"/no/such/place"}`:                 "404 cwd-not-found",
		`{"argv":["true"],"cwd":"/etc/passwd"}`:                    "404 cwd-not-found",
		`{"argv":["` + directory + `/closed"]}`:                    "403 not-permitted",
		`{"argv":["closed"],"env":{"PATH":"` + directory + `"}}`:   "403 not-permitted",
		`{"argv":["` + directory + `/lost"]}`:                      "404 program-not-found",
		`{"argv":["` + directory + `/text"]}`:                      "403 not-permitted",
		`{"argv":["true"],"user":"no-such-user"}`:                  "404 user-not-found",
		`{"argv":["true"],"user":"a:b"}`:                           "400 invalid-request",
		`{"argv":["true","` + strings.Repeat("x", 300_000) + `"]}`: "413 too-large",
	} {
		running, _, _ := shared.Counts()
		_, err := tryStart(request)
		var known *fault.Fault
		if !errors.As(err, &known) || fmt.Sprintf("%d %s", known.Status, known.Code) != answer {
			t.Errorf("%.80s: %v", request, err)
		}
		if after, _, _ := shared.Counts(); after != running {
			t.Errorf("%.80s: a place stays taken", request)
		}
	}
}

func TestTheShellIsTheUsersWhenItCanRunLines(t *testing.T) {
	for wanted, expected := range map[string]string{"": "/bin/sh", "/bin/cat": "/bin/cat", "sh": "/bin/sh", "/no/such": "/bin/sh", "/usr/sbin/nologin": "/bin/sh", "/bin/false": "/bin/sh", "/etc/passwd": "/bin/sh"} {
		if got := shell(wanted); got != expected {
			t.Errorf("%q: %s", wanted, got)
		}
	}
}

func TestRootStartsAsAnotherUser(t *testing.T) {
	root(t)
	p := start(t, `{"command":"id -u; id -g; id -G; echo $HOME,$USER; echo again >/dev/stdout; echo more > /dev/stderr","user":"54321","cwd":"/"}`)
	exit := ended(t, p)
	all, second := split(t, p)
	// What comes first of two pipes is not said.
	if first := strings.Replace(all, second, "", 1); first != "54321\n0\n0\n/,54321\nagain\n" || second != "more\n" || *exit.Code != 0 || p.Info().User != "54321" {
		t.Errorf("%q %q %+v", all, second, exit)
	}
	p = start(t, `{"command":"id -u; id -g; id -G; id -un >/dev/null 2>&1","user":"54321:54322","cwd":"/","tty":{"width":80,"height":24}}`)
	ended(t, p)
	if got := everything(t, p); got != "54321\r\n54322\r\n54322\r\n" {
		t.Errorf("%q", got)
	}
	p = start(t, `{"command":"id -un; echo $HOME; echo x > $(tty)","user":"daemon","cwd":"/","tty":{"width":80,"height":24}}`)
	ended(t, p)
	if got := everything(t, p); !strings.HasPrefix(got, "daemon\r\n") || !strings.HasSuffix(got, "x\r\n") {
		t.Errorf("%q", got)
	}
	if _, err := tryStart(`{"argv":["true"],"user":"54321","cwd":"` + shared.config.Workspace + `"}`); err == nil {
		t.Error("it runs where the user may not be")
	}
}

func TestTheProcessHasOnlyItsOwnDescriptors(t *testing.T) {
	extra, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	p := start(t, `{"command":"ls /proc/$$/fd; umask; grep -E 'SigBlk|SigIgn' /proc/self/status; ps -o sid= -o pgid= -p $$ 2>/dev/null || true"}`)
	ended(t, p)
	got := everything(t, p)
	if !strings.HasPrefix(got, "0\n1\n2\n") || !strings.Contains(got, "SigBlk:\t0000000000000000\n") || !strings.Contains(got, "SigIgn:\t0000000000000000\n") {
		t.Errorf("%q", got)
	}
}
