// Package httpfs is a read-only storage back end for web servers.
//
// # Model
//
// An [FS] is one server. A path is the path of a URL, decoded to bytes; it
// is encoded again for each request. The query of a URL belongs to the
// server and is sent with every request. A directory is what the server
// describes with an index page: [FS.List] reads the links of that page which
// lead to direct children, as nginx, Apache, Go and Python write them.
// Index pages do not tell sizes or versions, so listed entries have none.
//
// # Rules
//
// An FS is safe for concurrent use. Methods block and end soon after their
// context does. Nothing is retried or cached, and nothing is decompressed:
// the bytes are those the server keeps. A range is checked to be the one
// asked for. A server that ignores ranges sends the whole object, of which
// the bytes before the range are read and dropped. Up to ten redirects are
// followed, never from https to http; headers that the caller added are not
// sent to another host. Only an answer 404 or 410 means absent.
//
// # Example
//
//	fsys, err := httpfs.Open(ctx, "https://example.org", nil)
//	if err != nil {
//		return err
//	}
//	defer fsys.Close()
//	for e, err := range fsys.List(ctx, "pub", driver.ListOptions{}) {
//		…
//	}
package httpfs
