// Package prefixfs is a layer that shows one directory of a store as a store
// of its own.
//
// # Model
//
// The path "a/b" stands for prefix + "/a/b" below, joined byte by byte. The
// root exists whenever the store does, like that of any bucket, even when
// nothing is below the prefix yet.
//
// # Rules
//
// The layer is safe for concurrent use and has the optional abilities of
// what it wraps. Nothing outside the prefix can be named: paths are never
// cleaned, and the components "." and "..", which a server might resolve,
// are refused with [fault.Invalid] unless [Options.Dots] says that the store
// takes names as they are. Links of a local file system may lead out. Errors
// name paths as the caller wrote them.
//
// # Example
//
//	drv, err := prefixfs.New(drv, "data/2026", nil)
package prefixfs
