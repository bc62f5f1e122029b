// Package wake tells a goroutine that something has changed, and never waits for it.
package wake

// Up wakes whoever waits for a channel, or waits the next time. The channel has room for one: what changes several times
// before it is looked at is told once.
func Up(waiter chan struct{}) {
	select {
	case waiter <- struct{}{}:
	default:
	}
}
