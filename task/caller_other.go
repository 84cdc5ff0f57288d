//go:build !amd64 && !arm64

package task

import (
	"bytes"
	"runtime"
	"strconv"
)

// callerPC returns the return address of its caller, that is, where the
// function that calls callerPC was called from.
func callerPC() uintptr {
	var pcs [1]uintptr
	runtime.Callers(3, pcs[:])
	return pcs[0]
}

// goroutine returns a number that no other live goroutine has.
func goroutine() uintptr {
	var buf [64]byte
	fields := bytes.Fields(buf[:runtime.Stack(buf[:], false)])
	id, _ := strconv.ParseUint(string(fields[1]), 10, 64) // "goroutine 18 [running]:"
	return uintptr(id) + 1                                // see Goroutine
}
