package main

import "testing"

func TestTheEnvironmentOfCommandsCanBeGivenLater(t *testing.T) {
	d, _ := fresh(t)
	before := d.exec(object{"command": "echo $LATER", "env": object{"LATER": "own"}})
	if before.out.String() != "own\n" {
		t.Errorf("%q", before.out.String())
	}
	d.call(204, "PUT", "/v1/environment", `{"env":{"PATH":"/usr/bin:/bin","LATER":"probed","OTHER":"o"}}`)
	if got := d.exec(object{"command": "echo $LATER $OTHER"}); got.out.String() != "probed o\n" {
		t.Errorf("%q", got.out.String())
	}
	if got := d.exec(object{"command": "echo $LATER-$OTHER", "env": object{"LATER": nil, "OTHER": "mine"}}); got.out.String() != "-mine\n" {
		t.Errorf("%q", got.out.String())
	}
	for _, wrong := range []string{`{}`, `{"env":null}`, `{"env":{"":"x"}}`, `{"env":{"A=B":"x"}}`, `{"env":{"A":"\u0000"}}`, `{"env":{"A":1}}`, `{"env":{},"more":1}`, ``} {
		if got := d.call(400, "PUT", "/v1/environment", wrong); got["code"] != "invalid-request" {
			t.Errorf("%s: %v", wrong, got)
		}
	}
	if got := d.exec(object{"command": "echo $LATER"}); got.out.String() != "probed\n" {
		t.Errorf("%q", got.out.String())
	}
}
