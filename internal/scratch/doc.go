// Package scratch makes temporary directories that do not outlive their
// process, even one that was killed.
//
// # Model
//
// A directory holds a lock file that its process keeps locked. The lock goes
// with the process, however that ends. Whoever makes the next directory of
// the same prefix in the same place removes those that nobody holds.
//
// # Rules
//
// [Make] is safe for concurrent use, in one process and in many. The caller
// of Make calls [Dir.Remove]. Where files cannot be locked, directories of
// killed processes stay until somebody cleans up by hand.
//
// # Example
//
//	dir, err := scratch.Make("", "leat-store-")
//	…
//	defer dir.Remove()
package scratch
