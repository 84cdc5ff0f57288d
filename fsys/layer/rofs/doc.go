// Package rofs is a layer that refuses every change.
//
// # Model
//
// Reading passes. Create and Remove answer [fault.Refused] without asking
// the store, whether the path is there or not. The optional abilities that
// change something are gone, and so are local paths, under which another
// process could write.
//
// # Rules
//
// The layer is safe for concurrent use. It guards against mistakes of this
// program, as in a dry run; it is no barrier against one that holds the
// store itself.
//
// # Example
//
//	drv = rofs.New(drv)
package rofs
