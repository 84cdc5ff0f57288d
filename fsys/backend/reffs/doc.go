// Package reffs is a storage back end for reference files: the JSON that
// kerchunk writes, versions 0 and 1. Each name stands for bytes in the file
// itself, for an object elsewhere, or for a range of one.
//
// # Model
//
// [Open] reads the file and keeps it as a table. Reading a name is one range
// request to its target. [FS.ReadFiles] reads many: ranges of one target that
// are near each other become one request. A target without a scheme lies in
// the store of the reference file, relative to its folder; others are
// resolved by [Options.Resolve]. Templates and generated references may use
// sums, differences, products, quotients and remainders of whole numbers, not
// the rest of Jinja's language.
//
// # Rules
//
// An FS is safe for concurrent use. The table is of one version of the file;
// a change is noticed within some seconds. Of a range all bytes must come. A
// target that is absent is [fault.Corrupt], never an absent name: programs
// read absent chunks as zeros. A reference file is not trusted: targets that
// are local files must lie below the folder of the reference file, targets
// that are chains are refused, and the size of the file and the number of
// names have limits. The version of a name that lies elsewhere is known to
// [FS.Stat] and readers, not to listings.
//
// # Example
//
//	drv, err := reffs.Open(ctx, fs, "air.json", &reffs.Options{Resolve: mux.Resolve})
//	…
//	data, errs := drv.ReadFiles(ctx, []string{"air/0.0", "air/0.1"})
package reffs
