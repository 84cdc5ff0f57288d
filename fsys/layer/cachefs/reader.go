package cachefs

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

const (
	// runBlocks bounds how many blocks one request asks for, as each has to
	// be looked for first.
	runBlocks = 64
	// skipBytes is how much of a body is read and dropped, because others
	// fetched it meanwhile, rather than opening another: what a connection
	// gives in about the time of a request.
	skipBytes = 256 << 10
)

// A reader gives a range of one version of an object. It is one request, so
// it keeps its context.
type reader struct {
	ctx      context.Context
	fs       *layer
	entry    driver.Entry
	pos, end int64

	data   []byte // what is at hand
	dataAt int64  // and where it begins

	whole            *sealed       // all of it on disk, or nil
	body             driver.Reader // at the store, or nil
	bodyPos, bodyEnd int64
	closed           bool
}

// Entry implements [driver.Reader].
func (r *reader) Entry() driver.Entry { return r.entry }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	path := r.entry.Path
	if r.closed {
		return 0, fault.New("read", path, fault.Invalid, errors.New("the reader is closed"))
	}
	if err := r.fs.check(r.ctx, "read", path); err != nil {
		return 0, err
	}
	if r.pos >= r.end {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if r.pos < r.dataAt || r.pos >= r.dataAt+int64(len(r.data)) {
		if err := r.load(); err != nil {
			return 0, err
		}
	}
	n := copy(p[:min(int64(len(p)), r.end-r.pos)], r.data[r.pos-r.dataAt:])
	r.pos += int64(n)
	return n, nil
}

// load makes the data at r.pos be at hand.
func (r *reader) load() error {
	if r.whole != nil {
		i := r.pos / chunkBytes
		data, err := r.whole.chunk(i)
		if err == nil {
			r.data, r.dataAt = data, i*chunkBytes
			return nil
		}
		r.fs.disk.corrupt(r.whole)
		r.whole = nil
	}
	i := r.pos / r.fs.opts.BlockBytes
	data, err := r.block(i)
	if err != nil {
		if kind := fault.KindOf(err); kind == fault.Changed || kind == fault.NotExist {
			r.fs.distrust(r.entry.Path)
		}
		return fault.New("read", r.entry.Path, fault.Unknown, err)
	}
	r.data, r.dataAt = data, i*r.fs.opts.BlockBytes
	return nil
}

func (r *reader) key(i int64) blockKey { return blockKey{r.entry.Path, r.entry.Version, i} }

// blockLen returns the length of block i, which is positive.
func (r *reader) blockLen(i int64) int64 {
	return min(r.fs.opts.BlockBytes, r.entry.Size-i*r.fs.opts.BlockBytes)
}

// block returns block i from where it is fastest.
func (r *reader) block(i int64) ([]byte, error) {
	f, key := r.fs, r.key(i)
	if data, _, ok := f.blocks.get(key); ok {
		f.stats.MemoryHits.Add(1)
		return data, nil
	}
	return f.flights.do(r.ctx, key, func() ([]byte, error) {
		if data, _, ok := f.blocks.get(key); ok { // came while we got here
			f.stats.MemoryHits.Add(1)
			return data, nil
		}
		data, hit := f.disk.getBlock(key, r.blockLen(i))
		if !hit {
			f.stats.Misses.Add(1)
			var err error
			if data, err = r.fetch(i); err != nil {
				return nil, err
			}
			f.disk.putBlock(key, data)
		} else {
			f.stats.DiskHits.Add(1)
		}
		f.blocks.put(key, data, int64(len(data)))
		return data, nil
	})
}

// fetch reads block i from the store, whole or not at all.
func (r *reader) fetch(i int64) ([]byte, error) {
	at, n := i*r.fs.opts.BlockBytes, r.blockLen(i)
	if err := r.seek(i, at, n); err != nil {
		return nil, err
	}
	data := make([]byte, n)
	got, err := io.ReadFull(r.body, data)
	r.bodyPos += int64(got)
	r.fs.stats.FetchedBytes.Add(int64(got))
	if err != nil {
		r.drop()
		return nil, r.short(err, at+int64(got))
	}
	if r.bodyPos >= r.bodyEnd {
		r.drop()
	}
	return data, nil
}

// short says why a body ended before its time.
func (r *reader) short(err error, at int64) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fault.New("read", r.entry.Path, fault.Unavailable,
			fmt.Errorf("the body ended at byte %d of %d: %w", at, r.entry.Size, io.ErrUnexpectedEOF))
	}
	return err
}

// seek makes the body stand at block i, which begins at the offset at and has
// n bytes.
func (r *reader) seek(i, at, n int64) error {
	if r.body != nil && r.bodyPos <= at && at-r.bodyPos <= skipBytes && at+n <= r.bodyEnd {
		got, err := io.CopyN(io.Discard, r.body, at-r.bodyPos)
		r.bodyPos += got
		if err == nil {
			return nil
		}
		r.drop()
		return r.short(err, r.bodyPos)
	}
	r.drop()
	end := at + n
	for j := i + 1; end < r.end && j < i+runBlocks && !r.fs.near(r.key(j), r.blockLen(j)); j++ {
		end += r.blockLen(j)
	}
	body, err := r.open(at, end-at)
	if err != nil {
		return err
	}
	r.body, r.bodyPos, r.bodyEnd = body, at, end
	return nil
}

// open opens a range of the version of r at the store.
func (r *reader) open(off, n int64) (driver.Reader, error) {
	body, err := r.fs.drv.Open(r.ctx, r.entry.Path, driver.OpenOptions{Offset: off, Length: n, Version: r.entry.Version})
	if err != nil {
		return nil, err
	}
	r.fs.stats.Requests.Add(1)
	if v := body.Entry().Version; v != r.entry.Version {
		body.Close()
		return nil, fault.New("open", r.entry.Path, fault.Changed, fmt.Errorf("the store gave version %q for %q", v, r.entry.Version))
	}
	return body, nil
}

// near reports whether a block need not be fetched.
func (f *layer) near(key blockKey, n int64) bool {
	if _, _, ok := f.blocks.get(key); ok {
		return true
	}
	return f.flights.has(key) || f.disk.hasBlock(key, n)
}

// drop closes the body.
func (r *reader) drop() {
	if r.body != nil {
		r.body.Close() // everything that was wanted of it is there
		r.body = nil
	}
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.closed, r.data = true, nil
	r.drop()
	if r.whole != nil {
		r.whole.close()
		r.whole = nil
	}
	return nil
}

// openWhole makes r.whole the object on disk if it is to be kept whole, and
// fetches it first if it is not there yet. Trouble with the disk is none of
// the caller's: then r.whole stays nil, and blocks are used.
func (r *reader) openWhole() error {
	f := r.fs
	if f.disk == nil || r.entry.Size > f.opts.WholeBytes {
		return nil
	}
	key := r.key(wholeObject)
	if r.whole = f.disk.open(key, r.entry.Size); r.whole != nil {
		f.stats.DiskHits.Add(1)
		return nil
	}
	_, err := f.flights.do(r.ctx, key, func() ([]byte, error) { return nil, r.fetchWhole(key) })
	if err != nil {
		return err
	}
	r.whole = f.disk.open(key, r.entry.Size)
	return nil
}

// fetchWhole copies the object from the store to the disk.
func (r *reader) fetchWhole(key blockKey) error {
	f := r.fs
	unlock, there, err := f.disk.lockKey(r.ctx, key, r.entry.Size)
	if err != nil || there {
		return err // another process was faster
	}
	defer unlock()
	file := f.disk.create(key, r.entry.Size)
	if file == nil {
		return nil
	}
	defer file.abort()
	f.stats.Misses.Add(1)
	body, err := r.open(0, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	buf := make([]byte, 2*chunkBytes)
	for left := r.entry.Size; left > 0; {
		n, err := body.Read(buf[:min(left, int64(len(buf)))])
		left -= int64(n)
		f.stats.FetchedBytes.Add(int64(n))
		if !file.write(buf[:n]) {
			return nil
		}
		if err != nil && left > 0 {
			return r.short(err, r.entry.Size-left)
		}
	}
	file.publish()
	return nil
}
