// Package dirwalk lists a tree for back ends that can read one directory at a
// time.
//
// # Model
//
// [List] is the List method of a back end over a function that reads one
// directory. It reads some directories ahead of the loop, those that come
// next first, goes only into those that the prefix and the place to resume at
// leave, and yields in the order that listings have.
//
// # Rules
//
// A directory below the first that has gone by the time it is read is left
// out; any other failure ends the listing. All reads end before the listing
// does.
//
// # Example
//
//	func (f *FS) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
//		return dirwalk.List(ctx, dir, opts, 8, f.readDir)
//	}
package dirwalk
