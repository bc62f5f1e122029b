package guard

import "testing"

func TestAPanicEndsItsTaskAlone(t *testing.T) {
	if Do(func() { panic("defect") }) || !Do(func() {}) {
		t.Error("what is told is wrong")
	}
	done := make(chan struct{})
	Go(func() { defer close(done); panic("defect") })
	<-done
}
