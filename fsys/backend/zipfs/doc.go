// Package zipfs is a storage back end for zip archives that lie in any other
// file system.
//
// # Model
//
// [Open] reads the central directory with one range request, or two where it
// has more than 64 KiB. An [FS] is that table of contents. Reading a member
// is one further request: of the range asked for where the member is stored,
// else of all of it, decompressed on the way (deflate, bzip2, zstd). [Create]
// writes a new archive; existing ones are not changed.
//
// # Rules
//
// An FS and a [Writer] are safe for concurrent use. All reads are of the
// version of the archive that was opened; when it is replaced the call under
// way fails with [fault.Changed], and the next one reads the new table. A
// whole member is checked against its checksum, a part of one cannot be. A
// name is the bytes that the archive has; a leading "./" is dropped, and of
// two members with one name the last counts. Links, and names that are
// absolute or contain ".." or "." as a component, are listed as
// [driver.Other] by recursive listings and never opened. Encrypted members
// are [fault.Unsupported]. Members that overlap are refused, and those that
// unpack to more than [Options] allow; none yields more bytes than the table
// says. Reading takes constant memory; the table takes about 200 bytes for
// each name.
//
// # Example
//
//	drv, err := zipfs.Open(ctx, fs, "logs/2026.zip", nil)
//	…
//	r, err := drv.Open(ctx, "01/a.csv", driver.OpenOptions{})
package zipfs
