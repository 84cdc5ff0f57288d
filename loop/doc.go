// Package loop is an event loop: one goroutine runs callbacks and coroutines
// by priority, so that the state they share needs no locks.
//
// # Model
//
// A [Loop] has a line of callbacks for each [Priority], first in first out.
// Whoever calls [Loop.Run] is the loop's goroutine until Run returns. One
// turn of the loop is:
//
//  1. Take in what was posted from elsewhere since the last look.
//  2. Move the timers that are due to the lines of their priorities.
//  3. Look at the watched descriptors, if it is time to: before any idle
//     callback; after 64 callbacks or 100 µs; with callbacks of the last look
//     still waiting, after 1 ms. Each descriptor that is ready puts one
//     callback in line.
//  4. Run one callback: the oldest of the highest of control, I/O and normal
//     that has any. After 64 callbacks in a row that were each of a higher
//     priority than something that waits, the oldest of the highest waiting
//     lower priority, idle included, gets its turn first.
//  5. If there was none, run one idle callback; only one, so that work that
//     arrived meanwhile is seen. So however many idle computations there are,
//     a message waits for one slice of one of them at the most, and less if
//     that asks [Loop.ShouldYield].
//  6. If there was none of these either, sleep until a post, a timer or a
//     descriptor.
//
// Steps 1 and 2 are cheap when nothing is new; a batch of posts is taken in
// with one lock.
//
// The same work can be written in several styles, and they mix:
//
//   - Callbacks that say when a descriptor is ready: [Loop.Watch].
//   - A [Protocol] that is told of data, on a [Transport] that buffers what is
//     written, with limits: [Loop.Serve], [Loop.Dial], [Loop.Attach].
//   - Coroutines, whose reads and writes suspend them: [Loop.Go], [Conn],
//     [Listener], [PacketConn], [Sleep], [Await].
//   - Plain goroutines beside the loop: [Loop.Call] and [Loop.Post] in,
//     [Loop.Work], [Loop.Exec] and [Loop.OnSignal] out.
//
// A [Pool] is several loops, with connections spread over them.
//
// Package looptest runs a loop from a seed, with virtual time and network.
//
// # Rules
//
// Callbacks must not block: everything else on the loop waits meanwhile; see
// [Options.Slow]. A long computation is cut into idle callbacks that look at
// [Loop.ShouldYield]. Methods that are safe from any goroutine say so; the
// others are for the loop's goroutine, its coroutines included, or for the
// time before Run, and [Options.Debug] checks that. A panic in a callback is
// raised from Run.
//
// The loop owns what it serves: connections, goroutines and coroutines that
// were begun for it have ended when Run returns. Each protocol that heard
// Made hears Lost. Afterwards nothing runs any more: Post reports false and
// Call an error.
//
// Readiness is level-triggered, and one readiness is one callback, which
// reads once: a peer that always sends cannot starve another one.
//
// While no descriptor is watched the loop sleeps on a channel and a timer
// only, and it takes time from the time package, so it runs in a bubble of
// testing/synctest. With descriptors it sleeps in the poller of the Go runtime
// on Linux, in kqueue on macOS and FreeBSD. Elsewhere connections are served
// by goroutines, and bare descriptors cannot be watched.
//
// # Example
//
//	l := loop.New(nil)
//	go l.Run(ctx) // owned by the server; ends with ctx
//	l.Post(loop.Control, func() { state.heartbeat(worker) })
//	err := l.Call(ctx, loop.Normal, func() { n = len(state.tasks) })
package loop
