// Package leat is the front door of a library and a command that make
// thousands of waits for data that lives elsewhere cost one.
//
// The package itself holds no code; pick what you need:
//
//   - [github.com/leat-dev/leat/fault]: what went wrong, and what the caller
//     can do about it; the same on both sides of a wire.
//   - [github.com/leat-dev/leat/task]: structured concurrency with tasks that
//     start eagerly and cost nothing while they do not wait.
//   - [github.com/leat-dev/leat/loop]: an event loop with priorities.
//   - [github.com/leat-dev/leat/fsys]: one file system API over local files,
//     memory, HTTP and S3; its back ends are listed in
//     [github.com/leat-dev/leat/fsys/backend].
//   - [github.com/leat-dev/leat/bulk]: cat, copy and remove for many objects.
//   - [github.com/leat-dev/leat/sched]: the scheduler and the worker as pure
//     state machines.
//   - [github.com/leat-dev/leat/cluster]: workers, scheduler and client on
//     NATS, in one process or many.
//
// The command is [github.com/leat-dev/leat/cmd/leat]. ARCHITECTURE.md has the
// picture, the invariants and the life of a request.
//
// # Example
//
//	leat map --func wordcount --reduce top:20 's3://logs/**/*.txt'
package leat
