// Package archive is what file systems inside one object share: archives,
// reference files, commits.
//
// # Model
//
// An [Index] is the sorted table of contents, with the directories that
// names imply. A [Source] is the object that holds it all, pinned to one
// version and read by ranges. A [Reader] hands out a member and checks that
// all of it came. A [Builder] writes a new archive member by member: a
// member is kept aside until it is committed, so that one that fails leaves
// nothing behind, and the archive appears when the Builder is committed.
//
// # Rules
//
// An Index and a Source are immutable and safe for concurrent use; so is a
// Builder. Readers and the writers of members belong to one goroutine.
// Errors name the path inside the archive; what is wrong with the object
// that holds it is their cause. [CheckName] is the one place that says which
// names are refused because they would leave the folder they are unpacked in.
//
// # Example
//
//	src, tail, err := archive.OpenTail(ctx, fs, "x.zip", 64<<10)
//	…
//	index, err := archive.Build(items, maxMembers)
//	for e, err := range index.List(ctx, "", driver.ListOptions{}) {
//		…
//	}
package archive
