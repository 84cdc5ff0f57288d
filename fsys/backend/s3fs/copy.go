package s3fs

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/task"
)

// Limits of copying: one request copies up to 5 GiB.
const (
	maxCopyBytes  = 5 << 30
	copyPartBytes = 512 << 20
)

// copyResult is the answer to a copy, of an object or a part.
type copyResult struct {
	XMLName      xml.Name
	ETag         string
	LastModified time.Time
}

// Copy copies an object inside the bucket without moving its bytes through
// this process. It copies the version that was there when it began, or fails
// with [fault.Changed].
func (f *FS) Copy(ctx context.Context, src, dst string) (driver.Entry, error) {
	if err := f.changeable(dst); err != nil {
		return driver.Entry{}, &fault.Error{Op: "copy", Path: dst, Kind: fault.Invalid, Err: err}
	}
	if src == "" {
		return driver.Entry{}, &fault.Error{Op: "copy", Kind: fault.IsDir}
	}
	from, err := f.head(ctx, "copy", src, src, nil)
	if err != nil {
		return driver.Entry{}, f.absent(ctx, "copy", src, err)
	}
	if from.Size > f.maxCopy {
		return f.copyParts(ctx, from, dst)
	}
	var result copyResult
	q := &request{op: "copy", path: src, method: "PUT", key: dst, header: f.copySource(from), once: true}
	if err := f.copyCall(ctx, q, &result); err != nil {
		return driver.Entry{}, err
	}
	return driver.Entry{Path: dst, Kind: driver.File, Size: from.Size, ModTime: result.LastModified, Version: version(result.ETag)}, nil
}

// copyCall sends a request to copy, whose answer is a success only when it
// says what was copied.
func (f *FS) copyCall(ctx context.Context, q *request, result *copyResult) error {
	_, err := f.c.call(ctx, q, result)
	if err == nil && result.ETag == "" {
		err = &fault.Error{Op: q.op, Path: q.path, Kind: fault.Unavailable, Err: errors.New("the service did not say that it copied anything")}
	}
	return err
}

// copySource returns the headers that name what is copied.
func (f *FS) copySource(from driver.Entry) map[string]string {
	h := map[string]string{"X-Amz-Copy-Source": escapePath("/" + f.c.bucket + "/" + from.Path)}
	if from.Version != "" {
		h["X-Amz-Copy-Source-If-Match"] = etag(from.Version)
	}
	return h
}

// copyParts copies a large object part by part.
func (f *FS) copyParts(ctx context.Context, from driver.Entry, dst string) (driver.Entry, error) {
	up, err := f.startUpload(ctx, dst)
	if err != nil {
		return driver.Entry{}, err
	}
	size := partSize(min(copyPartBytes, f.maxCopy), from.Size)
	err = task.Run(ctx, &task.Options{Name: "copy", Limit: f.s.PartsInFlight}, func(g *task.Group) error {
		for n, off := 1, int64(0); off < from.Size; n, off = n+1, off+size {
			last := min(off+size, from.Size) - 1
			g.Go(strconv.Itoa(n), func(ctx context.Context) error { return up.copyPart(ctx, n, from, off, last) })
		}
		return nil
	})
	tag := ""
	if err == nil {
		tag, err = up.complete(ctx, &writer{})
	}
	if err != nil {
		_ = up.abort()
		return driver.Entry{}, fault.New("copy", from.Path, fault.Unknown, err)
	}
	return driver.Entry{Path: dst, Kind: driver.File, Size: from.Size, Version: version(tag)}, nil
}

// copyPart copies one range of an object into a part.
func (u *upload) copyPart(ctx context.Context, number int, from driver.Entry, first, last int64) error {
	q := &request{
		op: "copy", path: from.Path, method: "PUT", key: u.path, header: u.f.copySource(from),
		query: url.Values{"partNumber": {strconv.Itoa(number)}, "uploadId": {u.id}},
	}
	q.header["X-Amz-Copy-Source-Range"] = fmt.Sprintf("bytes=%d-%d", first, last)
	var result copyResult
	err := u.f.retry(ctx, false, func() error {
		return u.f.copyCall(ctx, q, &result)
	})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done = append(u.done, part{number, result.ETag})
	return nil
}
