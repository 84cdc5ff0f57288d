// Package task is structured concurrency with eager tasks.
//
// # Model
//
// A [Group] is a closure whose wait cannot be skipped: when [Run] returns,
// every task started in the group has ended. Whoever waits also works, so a
// task that never waits costs a function call and some 50 bytes, and bounded
// groups that nest cannot deadlock. Where Run is called decides how:
//
//   - On a goroutine, tasks run in parallel. The caller of Run, at the end of
//     the body, runs tasks that nobody has begun, and makes sure one helper
//     goroutine is on its way while more remain; the helper does the same. A
//     thousand tasks that do not wait cost about an eighth of as many
//     goroutines with a [sync.WaitGroup].
//   - On a coroutine of package loop, tasks take turns, and nothing they share
//     needs a lock. The caller of Run runs them one after the other on its own
//     stack. When one waits, the others are first started on coroutines of the
//     loop's pool; what then happens, and in which order, is what would if each
//     task had had a coroutine from the start, only cheaper: a thousand tasks
//     that do not wait cost about a twelfth of as many goroutines.
//
// Both have the same functions and rules. The context of the caller tells
// which it is, and so a function that is given a context works in both,
// provided that it waits in ways that suit both: in package loop, by a
// [Budget], or in a group. What blocks otherwise, a channel or a mutex, blocks
// a whole loop.
//
// [Map] applies a function to a stream of inputs, several at a time.
//
// [Collect], [Race] and [AsCompleted] are groups of tasks that return values,
// and [Start] waits until a task is ready. A [Scope] is a context with a
// deadline that can be moved, a shield, or a reason for its end; see [Within].
// [Tree] shows every task of the process and, where it was said by [Waiting],
// what it waits for.
//
// # Rules
//
// Starting is eager: a task may begin, and end, before Go returns to its
// caller, when the body waits on a loop, or only when the body has returned;
// it must work either way. Once begun it is on no queue until it waits. One
// that has to be scheduled, on a goroutine or coroutine of its own, is started
// with [Group.GoLater]; [Options.Later] does it for all tasks of a group.
//
// On a loop, a long row of tasks that do not wait gives others a turn now and
// then, and groups nested thousands deep move to other stacks, so neither a
// storm nor a recursion of tasks harms the rest.
//
// The first failure cancels the group's context with that error as its
// cause; all errors are kept, in the order the tasks were started, each with
// the task's name and the line that started it. A panic cancels the group
// and is raised again in the goroutine that called [Run], with the stack of
// the task. [runtime.Goexit] in a task fails the group, it is not swallowed;
// if the task shares a stack with who waits for it, that ends as well.
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
