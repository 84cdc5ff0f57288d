// Package sched decides who does what. It is the scheduler, the worker and
// the table of who has what as pure state machines: an input goes in, a list
// of effects comes out. It has no clock, no network, no disk and no
// goroutine, so that every decision can be replayed and tested in
// microseconds. Package cluster gives it those.
//
// # Model
//
// A job is a template (what to do) and a listing (what to do it to). Inputs
// of the listing are numbered from 0. The machine knows numbers only; the
// names stay in the log record that brought them, and a [Ref] says which.
// So a job of ten million inputs costs a few kilobytes here.
//
// The life of an input:
//
//	listed ──> leased ──> done ──> delivered (a result that the client has)
//	  ^          │          └────> folded (part of a partial that a worker holds)
//	  └──────────┴── worker lost · failed with tries left · partial lost
//
// Numbers are handed out as leases: sets of ranges for one worker, sized by
// how fast that worker went so far. An input is always in exactly one place:
// not yet leased, in one lease, or done; a report about an input that its
// lease does not hold any more is refused. That is the whole fencing rule.
//
// A reduce is an operator, not a graph. A worker folds each lease into a
// partial, which carries the manifest of the inputs inside it. The machine
// orders merges of partials, first on one worker, then between workers in
// pairs, until one is left. A lost partial puts the inputs of its manifest
// back and nothing else.
//
// # Rules
//
// Machines belong to one goroutine. [Machine.Step] is deterministic: the
// same inputs give the same effects, in the same order; time comes in with
// the input. Effects are carried out by the caller after the input is safe
// in the log. A peer is known by its session, a name that is never used
// twice: a worker that was given up for lost and comes back is told to start
// a new one, with nothing in its hands.
//
// # Duties of the host
//
//  1. Append an input to the log before it is given to [Machine.Step], set
//     its [Ref], and acknowledge numbers only up to [Machine.LastNum].
//  2. At never runs backwards over the life of a log: after a restart it goes
//     on from the last input replayed.
//  3. After a replay give the machine an [Epoch], and start the clock of
//     silence for all of [Machine.Sessions]. A session that is silent for too
//     long, or says goodbye, is a [Lost]. Whatever comes of a session that
//     is not [Machine.Known] is answered with [Reset].
//  4. After a [Compact], when every record so far is applied, put
//     [Machine.Snapshot] as [Restore] first into the next record; when that
//     is safe, what lies before it may be purged.
//  5. Fill in what the machine does not keep: names of a [Lease] by its
//     Segments; items and failures of a [Deliver] by its Ref, those only
//     whose range is in Accepted, beside the failures it brings, which lack
//     only names; the value of a [JobDone] by its Ref.
//  6. A client drops a [Deliver] whose number it has seen; after an epoch
//     deliveries and [JobDone] come again. A [FetchFailed] can open a job
//     again that was done: then results and JobDone follow anew.
//  7. Never let a batch span a gap in the numbers of a lease.
//
// # Example
//
//	m := sched.NewMachine(nil)
//	m.Step(sched.Input{From: "w1", Num: 1, Join: &sched.Join{Slots: 2}})
//	m.Step(sched.Input{From: "c1", Num: 1, Submit: &sched.Submit{Job: "j"}})
//	for _, e := range m.Step(sched.Input{Listed: &sched.Listed{Job: "j", Count: 3, EOF: true}}) {
//		… // a Lease for w1
//	}
package sched
