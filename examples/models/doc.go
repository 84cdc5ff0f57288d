// Package models shows one small program in each way that single-threaded
// programs have been written to do two things at once: it sends a lot down a
// slow socket, and computes meanwhile.
//
// # Model
//
// Each file is one model: [Blocking], [Selecting], [GreenThreads], [Reactor],
// [Producer], [Callbacks], [Generators], [Coroutines], [MainLoop]. They differ
// in who decides what runs next, and in what shape the code has. The last two
// compute only while the socket has no room, and the transfer takes as long
// as without computing; most others lose that, or the shape.
//
// # Rules
//
// compute does one slice of work and reports whether more is left; it knows
// nothing of sockets. The tests check the point of each model, by counting
// and on a virtual clock.
//
// # Example
//
//	models.MainLoop(l, stream, data, compute)
//	err := l.Run(ctx)
package models
