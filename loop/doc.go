// Package loop is a thin event loop: one goroutine runs callbacks by
// priority, so that the state they share needs no locks.
//
// # Model
//
// A [Loop] has a line of callbacks for each [Priority], first in first out.
// Whoever calls [Loop.Run] is the loop's goroutine until Run returns. One
// turn of the loop is:
//
//  1. Take in what was posted from elsewhere since the last look.
//  2. Move the timers that are due to the lines of their priorities.
//  3. Run one callback: the oldest of the highest of control, I/O and normal
//     that has any. After 64 callbacks in a row that were each of a higher
//     priority than something that waits, the oldest of the highest waiting
//     lower priority, idle included, gets its turn first.
//  4. If there was none, run one idle callback; only one, so that work that
//     arrived meanwhile is seen.
//  5. If there was none of these either, sleep until a post or a timer.
//
// Steps 1 and 2 are cheap when nothing is new; a batch of posts is taken in
// with one lock.
//
// # Rules
//
// Callbacks must not block: everything else on the loop waits meanwhile. A
// long computation is cut into idle callbacks that look at
// [Loop.ShouldYield]. [Loop.Post], [Loop.After], [Loop.Call], [Loop.Stop]
// and [Loop.Stats] are safe from any goroutine. A panic in a callback is
// raised from Run. When Run has returned, nothing runs any more: Post
// reports false and Call an error.
//
// The loop sleeps on a channel and a timer only, and takes time from the
// time package, so it runs in a bubble of testing/synctest.
//
// # Example
//
//	l := loop.New(nil)
//	go l.Run(ctx) // owned by the server; ends with ctx
//	l.Post(loop.Control, func() { state.heartbeat(worker) })
//	err := l.Call(ctx, loop.Normal, func() { n = len(state.tasks) })
package loop
