// Package guard keeps a mistake in one task from ending the whole agent.
package guard

// Go runs task in a goroutine of its own. A panic ends only the task.
func Go(task func()) {
	go Do(task)
}

// Do runs task and tells whether it came to its end without a panic.
func Do(task func()) (whole bool) {
	defer func() {
		whole = recover() == nil
	}()
	task()
	return true
}
