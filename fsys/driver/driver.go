package driver

import (
	"context"
	"io"
	"iter"
	"time"
)

// An FS is a storage back end. See the package documentation for the rules
// that all its methods keep.
type FS interface {
	// Stat describes the object or directory at path. A back end without
	// directories of its own answers [Dir] when some object lies below
	// path+"/" and no object is at path itself. The root always exists when
	// the store does; for a missing bucket the answer is [fault.NotExist].
	Stat(ctx context.Context, path string) (Entry, error)

	// List yields what is below dir, in byte order of the path, where a
	// directory sorts as its path followed by "/". The directory itself is
	// not yielded. An error is the last pair, with a zero Entry; breaking
	// out releases everything. A directory that is absent, or whose store
	// is, yields [fault.NotExist]; listing an object yields kind
	// [fault.NotExist] too. Pages are fetched as the loop asks.
	List(ctx context.Context, dir string, opts ListOptions) iter.Seq2[Entry, error]

	// Open starts to read path from opts.Offset. The caller closes the
	// reader. Opening a directory is [fault.IsDir]; an offset past the end
	// gives an empty reader.
	Open(ctx context.Context, path string, opts OpenOptions) (Reader, error)

	// Create starts to write path. Nothing is visible at path until
	// [Writer.Commit] returns nil. Parents are made as needed.
	Create(ctx context.Context, path string, opts CreateOptions) (Writer, error)

	// Remove deletes the object at path, or an empty directory. An absent
	// object is [fault.NotExist] where the store can tell for free, else
	// nil: object stores do not say.
	Remove(ctx context.Context, path string) error

	// Close releases connections. Calls after it fail.
	Close() error
}

// A Kind says what an entry is.
type Kind uint8

// The kinds of entry.
const (
	File  Kind = 1 // can be opened
	Dir   Kind = 2 // can be listed
	Other Kind = 3 // device, socket, dangling link: neither
)

// String returns "file", "directory" or "other".
func (k Kind) String() string {
	switch k {
	case File:
		return "file"
	case Dir:
		return "directory"
	}
	return "other"
}

// An Entry describes an object or a directory.
type Entry struct {
	// Path is the full path inside the file system, without a trailing "/"
	// for directories.
	Path string
	// Kind is never zero.
	Kind Kind
	// Size is in bytes; -1 for a directory, and when the store does not say.
	Size int64
	// ModTime is zero when the store does not say.
	ModTime time.Time
	// Version changes whenever the content does (ETag, generation, or size
	// and times). Empty when the store has nothing of the kind.
	Version string
}

// ListOptions tunes [FS.List].
type ListOptions struct {
	// Recursive yields everything below dir at any depth; the default is one
	// level. A recursive listing of an object store yields objects only; of
	// a store with real directories, those too.
	Recursive bool
	// Prefix restricts the listing to paths that begin with dir+"/"+Prefix
	// (or Prefix alone at the root), so that stores can skip the rest. Like
	// dir it is compared byte by byte and may contain "/" when Recursive.
	Prefix string
	// After restricts the listing to what comes behind After in the order of
	// the listing; it resumes a broken one. To go on behind a directory, it
	// is the path of the directory followed by "/".
	After string
}

// OpenOptions tunes [FS.Open].
type OpenOptions struct {
	// Offset is where to start, in bytes. Negative counts from the end:
	// -10 starts ten bytes before it, or at 0 for a shorter object.
	Offset int64
	// Length is how many bytes to read at most; 0 means to the end.
	Length int64
	// Version, when set, makes the call fail with [fault.Changed] unless the
	// object is still that version.
	Version string
}

// A Reader reads one object. It belongs to one goroutine. When the stream
// ends early, Read returns an error of kind [fault.Unavailable], never a
// plain [io.EOF]: bytes are counted where the length is known.
type Reader interface {
	io.ReadCloser
	// Entry describes the object as opened; Size is that of the whole
	// object, or -1.
	Entry() Entry
}

// CreateOptions tunes [FS.Create].
type CreateOptions struct {
	// Exclusive makes [Writer.Commit] fail with [fault.Exist] when something
	// is at the path already, decided atomically. A back end that cannot
	// decide refuses Create with [fault.Unsupported].
	Exclusive bool
	// SizeHint is the number of bytes that will come, or 0 when unknown. It
	// sizes buffers and parts; being wrong costs speed, not correctness.
	SizeHint int64
}

// A Writer writes one object. It belongs to one goroutine. Exactly one of
// Commit and Abort ends it; Abort after either is a no-op, so that it can be
// deferred.
type Writer interface {
	io.Writer
	// Commit publishes what was written, atomically, and describes it. After
	// an error nothing is published, unless the error has kind
	// [fault.Unavailable] or [fault.Timeout] and the answer got lost on the
	// way; then the whole object may be there, never a part of it.
	Commit(ctx context.Context) (Entry, error)
	// Abort gives up: what was written is discarded, uploads included. It
	// works after ctx has ended and takes at most a few seconds.
	Abort() error
}

// A Copier can copy inside its store without moving the bytes through the
// caller.
type Copier interface {
	// Copy copies the object src to dst, atomically at dst.
	Copy(ctx context.Context, src, dst string) (Entry, error)
}

// A BatchRemover can delete many objects with one request.
type BatchRemover interface {
	// RemoveBatch deletes the objects and returns one error per path, nil
	// where the object is gone. len(paths) is at most MaxRemoveBatch.
	RemoveBatch(ctx context.Context, paths []string) []error
	// MaxRemoveBatch is the largest batch, at least 1.
	MaxRemoveBatch() int
}

// A LocalPather maps paths to files of the operating system.
type LocalPather interface {
	// LocalPath returns the file name that processes of this machine can
	// open for path.
	LocalPath(path string) string
}
