// Package localfs stores objects as files of the operating system.
//
// # Model
//
// A file system has a root directory, "/" by default, and its paths are
// relative to it, without a leading "/". On Windows the default root is
// empty and a path begins with its volume: "C:/dir/file".
//
// A write goes to a new file in the directory of the target: one without a
// name where Linux and the disk can (it vanishes with the process, however
// that ends), else one named ".leat-tmp-*". Commit renames it, or links it,
// which is atomic too and fails when the target is there. Names of that form
// are not listed and not accepted. A file that is replaced keeps its
// permission bits. Parents are made on Create, and on Abort those that were
// made are removed again. By default nothing is flushed to the disk: after a crash of
// the machine a new file may be empty or absent; see [Options].
//
// # Rules
//
// Everything is safe for concurrent use. Links are followed by Stat, Open
// and Create, and when listing one level: a link to a directory is listed as
// a directory, one to a file as that file, and one that leads nowhere as
// [driver.Other]. A recursive listing does not descend into links to
// directories. The version of a file is made of its size, its time of
// modification and its inode number. Devices, pipes and sockets are
// [driver.Other] and can neither be opened nor replaced. Names that a
// directory tree cannot hold ("a//b", ".", "..", a trailing "/", a zero
// byte) are refused with [fault.Invalid].
//
// # Example
//
//	f := fsys.New(localfs.New(nil), "")
//	e, err := f.Stat(ctx, "etc/hosts")
package localfs
