package sched

import "time"

// Options tunes a [Machine]. The zero value, and nil, mean the defaults. All
// machines that read one log must have the same.
type Options struct {
	// Ahead is how much work a worker has at hand, in time at its measured
	// speed: enough to bridge a round trip, a lease that is lost costs no
	// more. Default 500 ms.
	Ahead time.Duration
	// MaxLease bounds the inputs of a lease. Default 4096: the names of as
	// many inputs, with keys of 1 KiB, still fit one message.
	MaxLease int
	// MaxAhead bounds the inputs a worker has at hand. Default 16384.
	MaxAhead int
	// Window bounds the results that were sent to a client and not yet
	// acknowledged. Default 32768 inputs.
	Window int
	// ListAhead is how many inputs are listed ahead of the leases at least.
	// Default 8192, eight pages of an S3 listing.
	ListAhead int
	// MergeAt is how many partials a worker gathers before it folds them.
	// Default 16.
	MergeAt int
	// AloneDeaths is how many workers an input may take along, when nothing
	// else ran on its lease, before it is given up. Default 3.
	AloneDeaths int
	// MaxRecomputes bounds how often lost results and partials of one job
	// are computed again. Default 1000.
	MaxRecomputes int
}

func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if c.Ahead <= 0 {
		c.Ahead = 500 * time.Millisecond
	}
	def(&c.MaxLease, 4096)
	def(&c.MaxAhead, 16384)
	def(&c.Window, 32768)
	def(&c.ListAhead, 8192)
	def(&c.MergeAt, 16)
	def(&c.AloneDeaths, 3)
	def(&c.MaxRecomputes, 1000)
	return c
}
