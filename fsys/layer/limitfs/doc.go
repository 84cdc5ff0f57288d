// Package limitfs is a layer that keeps calls within shared budgets:
// requests, bytes in memory, bytes a second.
//
// # Model
//
// A budget may be shared by any number of layers, so that nested and
// concurrent operations together stay within it. A unit of [Options.Requests]
// is held while a call to the store is under way: a Stat, the next page of a
// listing, an Open, one Read or Write, a Commit. Units of [Options.Bytes] are
// held for the buffer of one Read or Write. [Options.Reads] and
// [Options.Writes] are rates; what was read is paid for after it came, what
// is written before it goes.
//
// # Rules
//
// The layer is safe for concurrent use and has the optional abilities of
// what it wraps. Nothing is held while the caller's code runs, between two
// reads of a body or two entries of a listing, so that copying from a limited
// store to the same one cannot deadlock. For the same reason a budget must
// not be one that the store below takes from itself, such as
// [task.Requests]. Waiting is first come, first served, and ends with the
// context. Abort and Close do not wait: giving up must not be held up.
//
// # Example
//
//	rate := limitfs.NewRate(10<<20, 1<<20) // 10 MiB a second for both
//	drv = limitfs.New(drv, &limitfs.Options{Reads: rate, Writes: rate})
package limitfs
