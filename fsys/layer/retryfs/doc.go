// Package retryfs is a layer that repeats what failed for a passing reason.
//
// # Model
//
// What failed with a temporary kind ([fault.Kind.Temporary]) is tried again
// after a wait: exponential, with full jitter, and never less than the
// service asked for. The number of tries and the whole time are bounded. A
// listing goes on behind the last entry it gave; a body goes on behind the
// last byte it gave, pinned to the version it began with, so that a reader
// never sees a mix of two versions. Whatever moved on begins a new count.
//
// Writing is repeated as far as nothing can have happened: Create is, Write
// and Commit are not. A back end that uploads in requests of its own repeats
// those.
//
// # Rules
//
// The layer is safe for concurrent use and has the optional abilities of
// what it wraps. Waits end with the context. The error returned is the last
// one met. A body without a version is repeated from its beginning as long
// as no byte was given, and not after.
//
// # Example
//
//	drv = retryfs.New(drv, &retryfs.Options{Attempts: 3})
package retryfs
