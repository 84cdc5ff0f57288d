// Package cachefs is a layer that keeps what it read: listings, blocks of
// objects, whole objects; in memory and on disk.
//
// # Model
//
// Data is kept by path and version: a block of one version never stands for
// another, and what has no version is not kept. Opening an object asks the
// store for the version ([Options.Revalidate] says how often) and then reads
// from memory, from disk, or, block by block, from the store; missing blocks
// that lie side by side come in one request, and of several readers that
// miss the same block one fetches it. Objects of up to [Options.WholeBytes]
// are kept on disk as a whole.
//
// On disk, each block or object is one file: the data, a checksum for each
// 64 KiB, and a trailer with key, size and age. It is written under a
// temporary name and renamed. Nothing is synced to the disk, because a file
// that a crash left incomplete fails its checksums, and is removed and fetched
// again. The directory may be shared by any number of processes; locks of the
// system, which end with their process, keep them from cleaning up twice or
// fetching the same whole object at once.
//
// Listings are kept in memory for a while, complete ones only, and dropped
// by writes through this layer, up to the root.
//
// # Rules
//
// The layer is safe for concurrent use and has the optional abilities of
// what it wraps. It starts no goroutines. Absent is only what the store says
// now: failures are not kept, and neither listings nor blocks make anything
// absent. No byte is given that was not read whole and checked. Trouble with
// the disk is never an error: the layer goes on without it, tries again
// after a while, and counts it in [Stats].
//
// # Example
//
//	drv, err := cachefs.New(drv, &cachefs.Options{Dir: dir, Store: "s3://bucket"})
package cachefs
