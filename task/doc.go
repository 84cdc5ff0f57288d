// Package task is structured concurrency with eager tasks.
//
// # Model
//
// A [Group] is a closure whose wait cannot be skipped: when [Run] returns,
// every task started in the group has ended. Whoever waits also works: the
// goroutine that reaches the end of the group runs tasks that nobody has
// begun, and makes sure one helper goroutine is on its way while more
// remain; the helper does the same. So a task that never waits costs no
// goroutine, and bounded groups that nest cannot deadlock. A flat group of a
// thousand tasks that do not wait costs about an eighth of as many goroutines
// with a [sync.WaitGroup].
//
// [Map] applies a function to a stream of inputs, several at a time.
//
// # Rules
//
// Starting is eager: a task may begin, and end, before Go returns to its
// caller, or only when the body has returned; it must work either way. One
// that has to be scheduled on a goroutine of its own is started with
// [Group.GoLater].
//
// The first failure cancels the group's context with that error as its
// cause; all errors are kept, in the order the tasks were started, each with
// the task's name and the line that started it. A panic cancels the group
// and is raised again in the goroutine that called [Run], with the stack of
// the task. [runtime.Goexit] in a task fails the group, it is not swallowed.
// A task that ignores cancellation and returns a value has that value. Tasks
// not begun when the group is cancelled are dropped. What was not done
// because of a cancellation is told apart from what failed: see
// [CancelError].
//
// A task's context carries its place in the tree, see [Path]; it may outlive
// the task.
//
// A [Budget] bounds what a process has in flight across all callers; it is
// first come, first served, and never held while its holder waits for more
// of the same.
//
// # Example
//
//	err := task.Run(ctx, &task.Options{Limit: 64}, func(g *task.Group) error {
//		for _, name := range names {
//			g.Go(name, func(ctx context.Context) error { return fetch(ctx, name) })
//		}
//		return nil
//	}) // every task has ended here
package task
