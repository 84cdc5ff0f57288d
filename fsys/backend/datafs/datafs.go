package datafs

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

const scheme = "data:"

// An FS is the store of all data URLs. It implements [driver.FS], for
// reading.
type FS struct{ closed atomic.Bool }

var _ driver.FS = (*FS)(nil)

// New returns the store.
func New() *FS { return &FS{} }

// Backend returns how data URLs plug into a mux.
func Backend() fsys.Backend {
	return fsys.Backend{
		Opaque: true,
		Split: func(url string, pattern bool) (root, path string, err error) {
			if len(url) < len(scheme) || !strings.EqualFold(url[:len(scheme)], scheme) {
				return "", "", fault.New("split", url, fault.Invalid, errors.New("not a data: URL"))
			}
			if path = url[len(scheme):]; pattern {
				path = fsys.QuoteMeta(path)
			}
			return scheme, path, nil
		},
		Join: func(root, path string) string { return root + path },
		Open: func(context.Context, string) (driver.FS, error) { return New(), nil },
	}
}

// Decode returns the content of a data URL without "data:".
func Decode(path string) ([]byte, error) {
	head, body, ok := strings.Cut(path, ",")
	if !ok {
		return nil, errors.New("a data URL is like data:,text or data:;base64,dGV4dA==; the comma is missing")
	}
	if i := strings.IndexByte(body, '#'); i >= 0 {
		return nil, errors.New(`a "#" in a data URL is written %23`)
	}
	data, err := unescape(body)
	if err != nil {
		return nil, err
	}
	if n := len(head) - len(";base64"); n < 0 || !strings.EqualFold(head[n:], ";base64") {
		return data, nil
	}
	return decode64(data)
}

// decode64 decodes any usual base64.
func decode64(data []byte) ([]byte, error) {
	text := bytes.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\r', '\n', '\f':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, data)
	if n := len(text); n%4 == 0 && n > 0 {
		text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("=")), []byte("="))
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, err := base64.RawStdEncoding.Decode(out, text)
	if err != nil {
		return nil, fmt.Errorf("the base64 is wrong: %w", err)
	}
	return out[:n], nil
}

// unescape decodes percent escapes.
func unescape(s string) ([]byte, error) {
	const hexDigits = "0123456789abcdef"
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out = append(out, s[i])
			continue
		}
		hi, lo := -1, -1
		if i+2 < len(s) {
			hi, lo = strings.IndexByte(hexDigits, s[i+1]|0x20), strings.IndexByte(hexDigits, s[i+2]|0x20)
		}
		if hi < 0 || lo < 0 {
			return nil, fmt.Errorf("%q is no percent escape; a percent sign in a data URL is written %%25", s[i:min(i+3, len(s))])
		}
		out = append(out, byte(hi<<4|lo))
		i += 2
	}
	return out, nil
}

// get begins every operation on an object.
func (f *FS) get(ctx context.Context, op, path string) ([]byte, driver.Entry, error) {
	if f.closed.Load() {
		return nil, driver.Entry{}, fault.New(op, path, fault.Invalid, errors.New("the file system is closed"))
	}
	if err := ctx.Err(); err != nil {
		return nil, driver.Entry{}, fault.New(op, path, fault.KindOf(err), context.Cause(ctx))
	}
	data, err := Decode(path)
	if err != nil {
		return nil, driver.Entry{}, fault.New(op, path, fault.Invalid, err)
	}
	return data, driver.Entry{Path: path, Kind: driver.File, Size: int64(len(data)), Version: "1"}, nil
}

// Stat implements [driver.FS].
func (f *FS) Stat(ctx context.Context, path string) (driver.Entry, error) {
	_, e, err := f.get(ctx, "stat", path)
	return e, err
}

// Open implements [driver.FS].
func (f *FS) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	data, e, err := f.get(ctx, "open", path)
	if err != nil {
		return nil, err
	}
	if opts.Version != "" && opts.Version != e.Version {
		return nil, fault.New("open", path, fault.Changed, nil)
	}
	off, n := archive.Span(e.Size, opts)
	return archive.NewReader(ctx, e, bytes.NewReader(data[off:][:n]), n, nil, nil), nil
}

// List fails: every data URL there can be exists.
func (f *FS) List(_ context.Context, dir string, _ driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		yield(driver.Entry{}, fault.New("list", dir, fault.Unsupported, errors.New("a data URL is one object and has nothing to list")))
	}
}

// Create fails: the content of a data URL is its name.
func (f *FS) Create(_ context.Context, path string, _ driver.CreateOptions) (driver.Writer, error) {
	return nil, readOnly("create", path)
}

// Remove fails: the content of a data URL is its name.
func (f *FS) Remove(_ context.Context, path string) error { return readOnly("remove", path) }

func readOnly(op, path string) error {
	return fault.New(op, path, fault.Unsupported, errors.New("the content of a data URL is its name"))
}

// Close implements [driver.FS].
func (f *FS) Close() error {
	f.closed.Store(true)
	return nil
}
