package bulk

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/task"
)

// Contents are compared by MD5 because that is what object stores give as the
// version of an object that was not uploaded in parts. It guards against
// accidents, not against forgery.

// told returns the digest that a store gives as the version of an object, in
// hexadecimal, or "". It may be something else that looks like one: equal
// digests prove equal contents, different ones prove nothing.
func told(version string) string {
	v := strings.Trim(version, `"`)
	if len(v) != 2*md5.Size {
		return ""
	}
	if _, err := hex.DecodeString(v); err != nil {
		return ""
	}
	return strings.ToLower(v)
}

// digest reads one version of an object and returns its digest in
// hexadecimal. Progress is not told: nothing is moved.
func (r *recorder) digest(ctx context.Context, o Object) (string, error) {
	b := bufferFor(o.size())
	if err := r.window.Acquire(ctx, b.bytes); err != nil {
		return "", err
	}
	defer r.window.Release(b.bytes)
	if err := task.Requests().Acquire(ctx, 1); err != nil {
		return "", err
	}
	defer task.Requests().Release(1)
	in, err := o.FS.Open(ctx, o.Path, &fsys.OpenOptions{Version: o.Entry.Version})
	if err != nil {
		return "", err
	}
	defer in.Close()
	size := in.Entry().Size
	h := md5.New()
	n, err := r.pump(ctx, h, in, size, b, nil)
	if err == nil && size >= 0 && n != size {
		err = fault.New(r.op, o.URL(), fault.Unavailable, fmt.Errorf("%d of %d bytes came: %w", n, size, io.ErrUnexpectedEOF))
	}
	return hex.EncodeToString(h.Sum(nil)), err
}

// sameContents reports whether two objects hold the same bytes. It reads only
// what neither a size nor a version tells; when both sides tell a digest and
// these differ, it takes the objects for different.
func (r *recorder) sameContents(ctx context.Context, a, b Object) (bool, error) {
	if a.size() >= 0 && b.size() >= 0 && a.size() != b.size() {
		return false, nil
	}
	sums := [2]string{told(a.Entry.Version), told(b.Entry.Version)}
	for i, o := range []Object{a, b} {
		if sums[i] != "" {
			continue
		}
		var err error
		if sums[i], err = r.digest(ctx, o); err != nil {
			return false, err
		}
	}
	return sums[0] == sums[1], nil
}

// verify makes sure that dst, as it was just written, holds what src did. sum
// is the digest of the bytes that were written, or empty when they did not
// pass through this process.
func (r *recorder) verify(ctx context.Context, src Object, dst Object, sum string) error {
	got := told(dst.Entry.Version)
	if got != "" && (got == sum || got == told(src.Entry.Version)) {
		return nil
	}
	var err error
	if sum == "" {
		if sum, err = r.digest(ctx, src); err != nil {
			return err
		}
	}
	if got != sum { // what the store tells need not be a digest: read it back
		if got, err = r.digest(ctx, dst); err != nil {
			return err
		}
	}
	if got != sum {
		return fault.New(r.op, dst.URL(), fault.Corrupt,
			fmt.Errorf("the copy differs from its source: md5 %s, not %s", got, sum))
	}
	return nil
}
