package process

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"agentcontainers/resident/internal/fault"
)

func TestAStartThatIsWrongIsRefused(t *testing.T) {
	for _, request := range []string{
		``, `null`, `{}`, `[]`, `{"argv":[]}`, `{"argv":[""]}`, `{"command":""}`, `{"command":" \n\t"}`, `{"argv":["a"],"command":"a"}`,
		`{"argv":["a\u0000b"]}`, `{"command":"a\u0000b"}`, `{"argv":["a"],"cwd":"\u0000"}`, `{"argv":["a"],"env":{"A=B":"c"}}`,
		`{"argv":["a"],"env":{"":"c"}}`, `{"argv":["a"],"env":{"A":"\u0000"}}`, `{"argv":["a"],"tty":{"width":0,"height":1}}`,
		`{"argv":["a"],"tty":{"width":1,"height":10001}}`, `{"argv":["a"],"timeout_ms":0}`, `{"argv":["a"],"grace_ms":-1}`,
		`{"argv":["a"],"grace_ms":60001}`, `{"argv":["a"],"ring_bytes":1}`, `{"argv":["a"],"ring_bytes":67108865}`,
		`{"argv":["a"],"overflow":"lose"}`, `{"argv":["a"],"kind":"other"}`, `{"argv":["a"],"kind":"exec","background":true}`,
		`{"argv":["a"],"unknown":1}`, `{"argv":["a"]} {}`, `{"argv":"a"}`, `{"argv":["a"],"key":"` + strings.Repeat("k", 257) + `"}`,
	} {
		_, err := ParseStart([]byte(request))
		var known *fault.Fault
		if !errors.As(err, &known) || known.Status != 400 {
			t.Errorf("%.60s: %v", request, err)
		}
	}
}

func TestTheKindFollowsFromTheRest(t *testing.T) {
	for request, kind := range map[string]string{
		`{"argv":["a"]}`: KindExec, `{"argv":["a"],"background":true}`: KindBackground,
		`{"argv":["a"],"tty":{"width":80,"height":24}}`:               KindTerminal,
		`{"argv":["a"],"tty":{"width":80,"height":24},"kind":"exec"}`: KindExec,
	} {
		if s, err := ParseStart([]byte(request)); err != nil || s.Kind != kind {
			t.Errorf("%s: %+v, %v", request, s, err)
		}
	}
}

func TestSignalsHaveNames(t *testing.T) {
	for _, name := range []string{"INT", "SIGINT", "int", "sigint"} {
		if signal, known := ParseSignal(name); !known || SignalName(signal) != "SIGINT" {
			t.Errorf("%s: %v, %v", name, signal, known)
		}
	}
	for _, name := range []string{"", "SIG", "9", "INTX", "RTMIN"} {
		if signal, known := ParseSignal(name); known {
			t.Errorf("%q is %v", name, signal)
		}
	}
	if SignalName(40) != "SIG40" {
		t.Error(SignalName(40))
	}
}

func TestACommandLineIsToldInPart(t *testing.T) {
	long := strings.Repeat("x", maxShownArguments)
	if got := shown([]string{"a", "b"}); len(got) != 2 || got[1] != "b" {
		t.Errorf("%q", got)
	}
	got := shown([]string{"a", long, "c", "d"})
	if len(got) != 3 || len(got[1]) > maxShownArguments+3 || got[2] != "…" {
		t.Errorf("%d arguments", len(got))
	}
}

func FuzzStart(f *testing.F) {
	f.Add([]byte(`{"argv":["true"],"env":{"A":null},"tty":{"width":80,"height":24},"timeout_ms":5,"key":"k"}`))
	f.Add([]byte(`{"command":"sleep 1","background":true,"overflow":"spill","ring_bytes":65536}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := ParseStart(content)
		if err != nil {
			var known *fault.Fault
			if !errors.As(err, &known) || known.Status != 400 {
				t.Errorf("no refusal: %v", err)
			}
			return
		}
		if s.Kind == "" || (s.Command == nil) == (len(s.Argv) == 0) || s.ring() < minRing || s.ring() > maxRing || s.grace() < 0 {
			t.Errorf("%+v was let through", s)
		}
		_ = s.overflow()
		if _, err := json.Marshal(shown(s.Argv)); err != nil {
			t.Error(err)
		}
	})
}
