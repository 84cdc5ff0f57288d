// Package backend lists the back ends that leat comes with.
//
// # Model
//
// [Mux] returns a [fsys.Mux] that knows them all: local files (no scheme and
// "file"), "mem", "data", "http", "https", "s3", "sftp", "webdav", "webdavs",
// and what lies inside one object of any of them: "zip", "tar" and
// "reference"; "git" is a commit in a local repository. Stores behind a network
// are wrapped with retries. Layers stand in front of a URL:
//
//	cache::URL                   keep what was read (options: revalidate, ttl,
//	                             age, block, memory, disk, whole)
//	ro::URL                      refuse every change
//	prefix://PATH::URL           PATH below the directory URL, as a store
//	limit,requests=8,rate=1MiB::URL  at most so many at once, bytes a second
//
// The options of "cache" are those of package cachefs; in a URL, 0 means none,
// and revalidate is "always", "never" or a time.
// The list is this package and nothing else: no back end registers itself.
//
// # Rules
//
// A Mux is safe for concurrent use and belongs to the caller, who closes it.
// Programs that want fewer back ends, or others, build their own with
// [fsys.NewMux] and the Backend functions of the packages below this one.
//
// # Example
//
//	mux := backend.Mux(nil)
//	defer mux.Close()
//	fs, path, err := mux.Resolve(ctx, "s3://bucket/key")
package backend
