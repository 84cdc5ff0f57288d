//go:build !unix

package cachefs_test

// child does nothing where processes cannot be killed by signal.
func child() bool { return false }
