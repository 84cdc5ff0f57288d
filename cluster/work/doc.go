// Package work is what a worker does to inputs: it runs registered functions
// and commands on objects, folds their results, and reports.
//
// # Model
//
// A [Spec] says what a job does, in a form that travels. A [Func] is a
// registered Go function from an [Input] to bytes; a command is an argument
// template, run without a shell, whose standard output is the result. A
// [Reducer] makes folds: a [Fold] takes results, is encoded as a partial,
// merges partials of others and gives the final bytes, the same for any
// split of the inputs over folds and any order of merging.
//
// A [Runner] carries out the leases and merges of package sched. Inputs wait
// for bytes together, up to Width of them; functions compute and commands
// run on Slots.
//
// # Rules
//
// A result is whole or absent: a command whose input broke off half way, or
// that failed, or was killed, has no result, whatever it printed. The
// processes of a command are a process group, which is ended with the task.
// With an output template, each result is an object that appears complete or
// not at all. Functions and reducers are registered before use, under names
// that every worker knows; they may be called concurrently. Problems keep
// the kind of the error that caused them; [fault.UserError] means that the
// function or the command itself failed.
//
// # Example
//
//	work.Register("first-line", func(ctx context.Context, in *work.Input) ([]byte, error) {
//		data, err := in.Bytes(ctx)
//		line, _, _ := bytes.Cut(data, []byte("\n"))
//		return line, err
//	})
//	…
//	r := work.NewRunner(work.Options{Mux: mux, Store: store, Peers: peers})
//	defer r.Close()
//	r.Run(ctx, lease, func(d *sched.Done) { … })
package work
