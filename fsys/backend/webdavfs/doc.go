// Package webdavfs is a storage back end for WebDAV servers.
//
// # Model
//
// An [FS] is one server; "webdav" URLs are for HTTP and "webdavs" URLs for
// HTTPS. A path is that of a resource, decoded to bytes; it is encoded for
// each request. Reading is that of package httpfs. Create sends the bytes to
// a resource named ".leat-tmp-*" in the nearest collection that exists;
// Commit makes the missing collections and moves it to its place. Listings
// leave such resources out, and read one collection at a time with PROPFIND.
//
// # Rules
//
// An FS is safe for concurrent use. Methods block and end soon after their
// context does. Nothing is cached, and nothing is
// retried but a MOVE that meets a lock. WebDAV's DELETE and MOVE take
// whole trees with them, so a name is asked for before: a collection is
// removed when it is empty, and never overwritten. Between question and
// request another client may step in. Whether a MOVE is atomic is up to the
// server; most rename. The user name and password are sent with every
// request to the server and nowhere else. Only an answer 404 or 410 means
// absent. An empty component, "." and ".." in a name are refused.
//
// # Example
//
//	f, err := webdavfs.Open(ctx, "webdavs://dav.example.org", &webdavfs.Options{User: "me", Password: "…"})
//	…
//	defer f.Close()
package webdavfs
