//go:build amd64 || arm64

package task

// callerPC returns the return address of its caller, that is, where the
// function that calls callerPC was called from; the caller must not be
// inlined. It reads the chain of frame pointers, which takes about a
// nanosecond; runtime.Callers takes 80.
//
//go:noescape
func callerPC() uintptr

// goroutine returns a number that no other live goroutine has.
//
//go:noescape
func goroutine() uintptr
