// Package memfs keeps objects in the memory of the process.
//
// # Model
//
// A store is a named, flat space of objects, shared by everything in the
// process that opens the name; "mem://name/path" is its URL. Directories
// exist as far as objects lie below them, as on an object store: "f" and
// "f/x" can both be there. Objects live in sorted blocks of small entries,
// so that a million tiny ones fit in about 100 MB.
//
// # Rules
//
// Everything is safe for concurrent use. A listing never blocks writers for
// long and sees each object that is there throughout; one that comes or goes
// meanwhile may or may not show. A reader keeps the version it opened.
// Any path is a name but "" and those over 65,535 bytes. An object whose
// path begins with "/" lies in a directory with an empty name; a listing of
// the root that is not recursive shows the object itself, because that
// directory has no path of its own. A store lives as long as the process, or
// until [Forget].
//
// # Example
//
//	m := memfs.Open("scratch")
//	f := fsys.New(m, "mem://scratch")
//	_, err := f.WriteFile(ctx, "a/b", data)
package memfs
