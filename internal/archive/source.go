package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

// A Source is the object that holds an archive, pinned to one version.
type Source struct {
	fs    *fsys.FS
	path  string
	entry fsys.Entry
}

// OpenSource asks for the object's size and version.
func OpenSource(ctx context.Context, fs *fsys.FS, path string) (*Source, error) {
	e, err := fs.Stat(ctx, path)
	switch {
	case err != nil:
		return nil, err
	case e.Kind == fsys.Dir:
		return nil, fault.New("open", fs.URL(path), fault.IsDir, nil)
	}
	return &Source{fs: fs, path: path, entry: e}, nil
}

// OpenTail reads the last n bytes of the object, in one request where the
// store tells the size along with them.
func OpenTail(ctx context.Context, fs *fsys.FS, path string, n int64) (*Source, []byte, error) {
	r, err := fs.Open(ctx, path, &fsys.OpenOptions{Offset: -n})
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	tail, err := io.ReadAll(io.LimitReader(r, n+1))
	if err != nil {
		return nil, nil, err
	}
	s := &Source{fs: fs, path: path, entry: r.Entry()}
	if s.entry.Size < 0 {
		if s, err = OpenSource(ctx, fs, path); err != nil {
			return nil, nil, err
		}
	}
	if want := min(n, s.entry.Size); int64(len(tail)) != want {
		return nil, nil, fault.New("open", s.URL(), fault.Unavailable, fmt.Errorf("the last %d bytes were asked for and %d came", want, len(tail)))
	}
	return s, tail, nil
}

// URL names the object.
func (s *Source) URL() string { return s.fs.URL(s.path) }

// Size is that of the object in bytes, or -1 where the store does not say.
func (s *Source) Size() int64 { return s.entry.Size }

// Entry describes the object.
func (s *Source) Entry() fsys.Entry { return s.entry }

// Same asks the store whether the object is still the one that was opened. One
// that has gone is not.
func (s *Source) Same(ctx context.Context) (bool, error) {
	e, err := s.fs.Stat(ctx, s.path)
	switch {
	case fault.KindOf(err) == fault.NotExist:
		return false, nil
	case err != nil:
		return false, err
	case e.Version != "" && s.entry.Version != "":
		return e.Version == s.entry.Version, nil
	}
	return e.Size == s.entry.Size && e.ModTime.Equal(s.entry.ModTime), nil
}

// Version returns a version for a part of the object that content, a
// checksum say, tells apart from others.
func (s *Source) Version(content string) string {
	if s.entry.Version == "" {
		return content
	}
	return s.entry.Version + "-" + content
}

// Open starts to read n bytes from off, or to the end when n is negative.
// An object that was replaced meanwhile, or has gone, is [fault.Changed].
func (s *Source) Open(ctx context.Context, off, n int64) (io.ReadCloser, error) {
	if n == 0 {
		return io.NopCloser(emptyReader{}), nil
	}
	r, err := s.fs.Open(ctx, s.path, &fsys.OpenOptions{Offset: off, Length: max(n, 0), Version: s.entry.Version})
	if fault.KindOf(err) == fault.NotExist {
		return nil, &fault.Error{Op: "open", Path: s.URL(), Kind: fault.Changed, Err: errors.New("it has been removed since it was opened")}
	}
	return r, err
}

// Read returns the n bytes from off; fewer is an error.
func (s *Source) Read(ctx context.Context, off, n int64) ([]byte, error) {
	r, err := s.Open(ctx, off, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// Grows with what comes, whatever n claims.
	data, err := io.ReadAll(io.LimitReader(r, n))
	if err == nil && int64(len(data)) != n {
		err = fault.New("read", s.URL(), fault.Unavailable, fmt.Errorf("%d of %d bytes came: %w", len(data), n, io.ErrUnexpectedEOF))
	}
	return data, err
}

// ReadAll returns the whole object. More than most bytes are refused.
func (s *Source) ReadAll(ctx context.Context, most int64) ([]byte, error) {
	tooLarge := func(n int64) error {
		return fault.New("open", s.URL(), fault.Refused, fmt.Errorf("it has %d bytes or more; the limit is %d", n, most))
	}
	if s.entry.Size > most {
		return nil, tooLarge(s.entry.Size)
	}
	r, err := s.Open(ctx, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return nil, err
	}
	if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 {
		return nil, tooLarge(most + 1)
	} else if err != io.EOF {
		return nil, err
	}
	return data, nil
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, io.EOF }
