// Command task measures what a task costs in package task, in both of its
// models, and in the group libraries that Go programs use: flat groups of
// 1,000 tasks of which a share has to wait once, and a tree of groups.
//
// # Model
//
// A workload is run by every tool in turn, round after round, so that a slow
// moment of the machine hits all of them. A task that waits lets others of
// its kind run once: it yields to the loop on a loop and to the scheduler of
// the runtime on a goroutine. The table has, per task, the median of the
// rounds in wall-clock time, the best of them, processor time of the whole
// process, and allocations; the last column is the median against errgroup.
//
// # Rules
//
// It has a go.mod of its own, so that its peers are no dependencies of leat.
// The workloads are Go benchmarks too, for profiles and benchstat.
//
// # Example
//
//	cd bench/task
//	go run .                # a minute
//	go test -bench .
package main
