// Package fsys is one file system over many stores: local files, memory,
// HTTP, S3 and whatever else implements [driver.FS].
//
// # Model
//
// A path is a flat, "/"-separated, byte-exact name inside a file system. A
// URL names a file system and a path in it: "s3://bucket/key". An [FS] is
// the portable view of one store; a [Mux] maps URLs to file systems and
// opens each of them once. A pattern is a path with wildcards; [FS.Glob]
// and [Mux.Glob] list what matches, lazily and in byte order.
//
// Patterns: "*" is any run of characters but "/"; "?" is one character but
// "/" (a rune, or one byte that is not UTF-8); "[a-z]" and "[!a-z]" (or
// "[^a-z]") are classes; "**" as a whole component is any number of
// directories, also none; "\" before one of "*?[]\" quotes it, and any
// other "\" is itself. A trailing "/" asks for directories only. Names that
// begin with a dot match like any other. Wildcards do not match an empty
// component, except that "**" spans them.
//
// URLs chain: "zip://a.csv::s3://b/x.zip" is the member a.csv of the object
// x.zip, and "cache,ttl=1m::s3://b/k" is s3://b/k read through a cache with
// an option. A chain is read from the left, one link at a time, and only
// schemes that are made to stand in front of another URL begin one: in
// "s3://b/a::b" the key is "a::b". A link ends at the first "::"; in its path
// "%3A" is a colon and "%25" a percent sign. A [Spec] is the same as data.
//
// # Rules
//
// All methods are safe for concurrent use, block, and return soon after
// their context ends. Errors are [*fault.Error] values whose Path is the
// URL. Readers and writers belong to one goroutine; the caller ends them.
// Absent is only said when the store said so. A write is visible after
// Commit or not at all. Sizes and offsets are in bytes. File systems that a
// Mux opened belong to it: close the Mux, not them.
//
// # Example
//
//	mux := backend.Mux(nil)
//	defer mux.Close()
//	for m, err := range mux.Glob(ctx, "s3://logs/2026/**/*.gz", nil) {
//		if err != nil {
//			return err
//		}
//		data, err := m.FS.ReadFile(ctx, m.Entry.Path)
//		…
//	}
package fsys
