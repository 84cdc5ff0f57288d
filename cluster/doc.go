// Package cluster puts the state machines of package sched to work: it gives
// them a log, a clock, a network and processes. It has the scheduler, the
// worker and the client, each usable alone, and [Start] for all of them in
// one process.
//
// # Model
//
// Everything that happens is an input. Peers number their inputs, keep them
// until the leader has them in its log, and send them again; so the bus
// below may lose, repeat and reorder messages. The leader appends many
// inputs as one record, steps the machine when the record is safe, and sends
// what the machine decides, numbered the same way for each session:
//
//	client ─┐  inputs            ┌─> outbox of each session ──> leases, results
//	worker ─┼─> intake ─> log ─> machine (on a loop)
//	host   ─┘                    └─> expander of each job ────> Listed
//
// Names and results stay in the log; what leaves the machine carries a
// reference, and the outbox reads it when the peer has room. A scheduler
// that starts replays the log, opens an epoch and says again what is not
// known to have arrived. A second one that writes to the log is refused by
// the number of the record it follows.
//
// Values above 32 KiB stay with the worker that made them; peers and clients
// fetch them over HTTP. The ancestor's operations (compute, get-data,
// who-has and so on) work beside all that, by [Client.Ask].
//
// # Rules
//
// All types are safe for concurrent use unless they say otherwise. Silence
// is measured on the monotonic clock of who listens; nothing hangs on wall
// clocks. A session that was given up is never taken back: its worker drops
// what it has, kills its commands and joins as a new one. So every input
// counts once, however often it is run. Whoever starts something closes it;
// nothing of it runs afterwards, but functions that do not listen to their
// context. docs/wire.md has what travels.
//
// # Example
//
//	c, err := cluster.Start(ctx, &cluster.Options{Workers: 4, Mux: mux})
//	…
//	defer c.Close()
//	cl, err := c.Client(ctx)
//	job, err := cl.Map(ctx, &work.Spec{Inputs: []string{"s3://logs/*"}, Func: "lines"}, nil)
//	for r, err := range job.Results() {
//		…
//	}
//	summary, err := job.Wait(ctx)
package cluster
