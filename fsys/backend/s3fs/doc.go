// Package s3fs is a storage back end for Amazon S3 and everything that
// speaks its protocol.
//
// # Model
//
// An [FS] is one bucket. A path is a key, byte for byte; a directory is a
// prefix that ends in "/", and exists while a key begins with it. An empty
// object whose key ends in "/", as some tools leave them, reads as a
// directory and not as an object.
//
// Requests are made here, one HTTP request for one operation where S3 allows
// it; credentials and signatures come from minio-go. Objects up to
// [Options.PartBytes] are written with one request, larger ones in parts
// that are uploaded while more is being written.
//
// # Rules
//
// An FS is safe for concurrent use. All methods block and end soon after
// their context does. Reads and listings are not retried here. Writes are,
// part by part, because only the writer still has the bytes. Nothing
// appears under a key before Commit, and an upload that is not committed is
// aborted. A key must be valid UTF-8 of at most 1,024 bytes: S3 has no
// others.
//
// Where nothing is configured, settings come from the same environment
// variables and files that the AWS command line reads; see [Options].
//
// # Example
//
//	fsys, err := s3fs.Open(ctx, "s3://bucket", &s3fs.Options{Endpoint: "http://127.0.0.1:9000"})
//	if err != nil {
//		return err
//	}
//	defer fsys.Close()
//	for e, err := range fsys.List(ctx, "logs", driver.ListOptions{Recursive: true}) {
//		…
//	}
package s3fs
