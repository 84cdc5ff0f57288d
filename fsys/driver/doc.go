// Package driver is the seam between [fsys] and a storage back end: what a
// back end must do, and what it may do.
//
// # Model
//
// A back end is an [FS]: a flat space of byte-exact, "/"-separated paths.
// A path has no leading "/" and is never cleaned: "a//b" and "a/../b" are
// names like any other, and a back end that cannot store a name refuses it
// with kind [fault.Invalid]. The root is "". Objects and directories are
// [Entry] values. Optional abilities are further interfaces that an FS may
// implement; [fsys] discovers them by type assertion.
//
// # Rules
//
// Methods are safe for concurrent use, block, and return soon after ctx
// ends. Errors are [fault.Error] values with Op and Path set and the kind
// chosen by the back end, which is the only layer that knows. Absent is
// [fault.NotExist] and nothing else is: a refusal, a time-out or a broken
// connection never reads as absent. Back ends do not retry for longer than
// one request needs and do not cache; layers do.
//
// The conformance suite is package drivertest.
package driver

import (
	_ "github.com/leat-dev/leat/fault" // named in the documentation
)
