// Package tarfs is a storage back end for tar archives, plain or compressed,
// that lie in any other file system.
//
// # Model
//
// A tar archive has no table of contents, so [Open] makes one: it goes over
// the archive once. Of a plain archive it reads the headers and skips large
// members; of a compressed one (gzip, bzip2, zstd, told by the first bytes)
// it reads everything. After that a plain member, or a part of one, is one
// range request. A compressed archive is read from its beginning up to the
// member, or from where an earlier reader stopped: members read in the order
// of the archive cost one pass in all. [Create] writes a new archive.
//
// # Rules
//
// An FS and a [Writer] are safe for concurrent use. All reads are of the
// version of the archive that was opened; when it is replaced the call under
// way fails with [fault.Changed], and the next one makes the table anew. A
// name is the bytes that the archive has, long ones in the GNU and PAX ways
// included; a leading "./" is dropped, and of two members with one name the
// last counts, as when unpacking. Links, devices, and names that are absolute
// or contain ".." or "." as a component, are [driver.Other] and never opened;
// recursive listings show them all. Sparse members are [fault.Unsupported].
// A compressed archive that unpacks to more than [Options] allow is refused.
// Reading takes constant memory; the table takes about 200 bytes for each
// name.
//
// # Example
//
//	drv, err := tarfs.Open(ctx, fs, "logs/2026.tar.zst", nil)
//	…
//	r, err := drv.Open(ctx, "01/a.csv", driver.OpenOptions{})
package tarfs
