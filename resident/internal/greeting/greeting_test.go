package greeting

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

const token = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func TestAGreetingIsRead(t *testing.T) {
	g, err := Parse([]byte(`{"token":"` + token + `","start":true,"env":{"PATH":"/bin","EMPTY":""},"workspace":"/w","exit_when_alone_ms":5}`))
	if err != nil {
		t.Fatal(err)
	}
	if g.Token != token || !g.Start || g.Env["PATH"] != "/bin" || g.Workspace != "/w" || g.ExitWhenAloneMS != 5 {
		t.Errorf("%+v", g)
	}
}

func TestAGreetingThatIsNoneIsRefusedWithoutTellingIt(t *testing.T) {
	for _, line := range []string{
		``, `null`, `[]`, `"x"`, `{}`, `{"token":"short"}`, `{"token":"` + strings.ToUpper(token) + `"}`,
		`{"token":"` + token + `","unknown":1}`, `{"token":"` + token + `"} {}`, `{"token":"` + token + `","start":"yes"}`,
		`{"token":"` + token + `","exit_when_alone_ms":-1}`, `{"token":"` + token + `","workspace":"relative"}`,
		`{"token":"` + token + `","env":{"A=B":"c"}}`, `{"token":"` + token + `","env":{"A":"\u0000"}}`, `{"token":"` + token + `","env":{"":"x"}}`,
		`{"token":"` + token + `","env":{"A":"` + strings.Repeat("x", MaxLine) + `"}}`,
	} {
		_, err := Parse([]byte(line))
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Code != CodeBadGreeting {
			t.Errorf("%.60s: %v", line, err)
		} else if strings.Contains(refusal.Message, token) {
			t.Errorf("the message has the token: %s", refusal.Message)
		}
	}
}

func TestALineIsReadAndNothingAfterIt(t *testing.T) {
	r := bufio.NewReader(strings.NewReader("first\nrest"))
	line, err := ReadLine(r, 10)
	rest, _ := io.ReadAll(r)
	if err != nil || string(line) != "first" || string(rest) != "rest" {
		t.Errorf("%q, %q, %v", line, rest, err)
	}
	if _, err := ReadLine(bufio.NewReader(strings.NewReader("longer than that\n")), 10); err == nil {
		t.Error("a line above the limit was read")
	}
	if _, err := ReadLine(bufio.NewReader(strings.NewReader("cut")), 10); err != io.EOF {
		t.Errorf("a line that is cut: %v", err)
	}
}

func TestAnAnswerOfTheAgentIsRead(t *testing.T) {
	a, err := ParseAnswer(Line(Answer{OK: true, Protocol: 1, PID: 7}))
	if err != nil || a.PID != 7 {
		t.Errorf("%+v, %v", a, err)
	}
	_, err = ParseAnswer(Line(Refuse(CodeWrongToken, "no")))
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Code != CodeWrongToken || fmt.Sprint(err) != "no" {
		t.Errorf("%v", err)
	}
	if _, err = ParseAnswer([]byte("HTTP/1.1 400")); err == nil {
		t.Error("no JSON was read")
	}
}

func FuzzGreeting(f *testing.F) {
	f.Add([]byte(`{"token":"` + token + `","start":true,"env":{"A":"b"},"workspace":"/w"}`))
	f.Add([]byte(`{"token":1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		g, err := Parse(line)
		if err != nil {
			var refusal *Refusal
			if !errors.As(err, &refusal) {
				t.Errorf("no refusal: %v", err)
			}
			return
		}
		if !IsToken(g.Token) || g.ExitWhenAloneMS < 0 {
			t.Errorf("%+v was let through", g)
		}
		_, _ = ParseAnswer(line)
	})
}
