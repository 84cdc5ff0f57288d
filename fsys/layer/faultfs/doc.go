// Package faultfs is a layer that makes things go wrong, for tests.
//
// # Model
//
// An [FS] asks its rules before each operation of the file system below. A
// [Rule] selects by operation, path and count, and injects an error, a wait,
// or a body that breaks off. Operations are "stat", "list", "open", "read",
// "create", "write", "commit", "abort", "remove", "copy" and "close".
//
// A rule for "list", "read" or "write" is about a whole listing, body or
// upload: it counts once, when that begins, and strikes after N entries or
// bytes. Tests so do not depend on the size of buffers.
//
// # Rules
//
// An FS is safe for concurrent use. Injected errors are [fault.Error] values
// of the kind of Rule.Err. Waits end with the context.
//
// # Example
//
//	flaky := faultfs.New(memfs.New(), &faultfs.Rule{
//		Op: "read", Times: 1, N: 1000, Err: io.ErrUnexpectedEOF,
//	})
package faultfs
