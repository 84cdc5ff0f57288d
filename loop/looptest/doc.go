// Package looptest runs programs on a loop so that a run can be repeated:
// with a clock that jumps, an order of callbacks and a network that come from
// one seed.
//
// # Model
//
// A [Sim] has one loop. Its time stands still while anything can run, and
// jumps to the next timer when nothing can: an hour of timeouts takes a
// moment. Of the callbacks of one priority that are ready, the seed decides
// which is next, so each seed is another order of events that the program
// has to live with. [Net] connects named nodes on the loop with delay, loss,
// duplication and partitions, which also come from the seed.
//
// # Rules
//
// A run depends on nothing but the seed as long as the program takes time,
// chance and messages from the Sim: [loop.Loop.Now], Sim.Rand, Net. Goroutines
// beside the loop run in their own time and order, as always. A package that
// relies on the order in which callbacks of one priority were posted wants
// Options.FIFO.
//
// When a test fails its seed is printed; -loop.seed runs that one again.
// Everything is for the goroutine of the test and the loop's callbacks. A Sim
// also works in a bubble of testing/synctest.
//
// # Example
//
//	sim := looptest.New(t, nil)
//	a, b := sim.Net.Node("a"), sim.Net.Node("b")
//	b.Receive(func(from string, p []byte) { b.Send(from, p) })
//	a.Receive(func(string, []byte) { answered = true })
//	sim.Net.Default = looptest.Link{Delay: 20 * time.Millisecond, Loss: 0.1}
//	a.Send("b", []byte("ping"))
//	sim.Run()
package looptest
