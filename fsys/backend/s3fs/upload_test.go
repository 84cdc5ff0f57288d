package s3fs_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/backend/s3fs"
	"github.com/leat-dev/leat/fsys/driver"
)

// upload plays a multipart upload; fail decides on each request.
func upload(t *testing.T, fail func(w http.ResponseWriter, r *http.Request, n int) bool) (*s3fs.FS, *service) {
	var mu sync.Mutex
	seen := map[string]int{}
	return serve(t, func(w http.ResponseWriter, r *http.Request, body string) {
		mu.Lock()
		seen[r.Method+r.URL.RawQuery]++
		n := seen[r.Method+r.URL.RawQuery]
		mu.Unlock()
		if fail(w, r, n) {
			return
		}
		q := r.URL.Query()
		sum := md5.Sum([]byte(body))
		switch {
		case q.Has("uploads"):
			_, _ = io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>`)
		case r.Method == "PUT":
			w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
		case r.Method == "POST":
			_, _ = io.WriteString(w, `<CompleteMultipartUploadResult><ETag>"done-3"</ETag></CompleteMultipartUploadResult>`)
		case r.Method == "DELETE":
			w.WriteHeader(204)
		case r.Method == "HEAD":
			all := md5.New()
			for _, size := range []int{5 * mib, 5 * mib, 2 * mib} {
				part := md5.Sum(make([]byte, size))
				_, _ = all.Write(part[:])
			}
			w.Header().Set("ETag", fmt.Sprintf(`"%x-3"`, all.Sum(nil)))
		}
	})
}

// send writes 12 MiB of zeros, in three parts.
func send(ctx context.Context, f *s3fs.FS, opts driver.CreateOptions) (driver.Entry, error) {
	w, err := f.Create(ctx, "k", opts)
	if err != nil {
		return driver.Entry{}, err
	}
	defer func() { _ = w.Abort() }()
	if _, err := w.Write(make([]byte, 12*mib)); err != nil {
		return driver.Entry{}, err
	}
	return w.Commit(ctx)
}

func isPart(r *http.Request, n string) bool { return r.URL.Query().Get("partNumber") == n }

func isComplete(r *http.Request) bool {
	return r.Method == "POST" && r.URL.Query().Has("uploadId")
}

// hangUp ends the connection without an answer.
func hangUp(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_ = c.Close()
}

func TestUploadFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		fail      func(w http.ResponseWriter, r *http.Request, n int) bool
		exclusive bool
		want      fault.Kind
		version   string
		aborts    int
	}{
		"nothing": {fail: func(http.ResponseWriter, *http.Request, int) bool { return false }, version: "done-3"},
		"part twice": {fail: func(w http.ResponseWriter, r *http.Request, n int) bool {
			if isPart(r, "2") && n < 3 {
				xmlError(w, 503, "SlowDown")
				return true
			}
			return false
		}, version: "done-3"},
		"part cut off once": {fail: func(w http.ResponseWriter, r *http.Request, n int) bool {
			if isPart(r, "1") && n == 1 {
				hangUp(w)
				return true
			}
			return false
		}, version: "done-3"},
		"part for ever": {fail: func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if isPart(r, "3") {
				xmlError(w, 500, "InternalError")
				return true
			}
			return false
		}, want: fault.Unavailable, aborts: 1},
		"part refused": {fail: func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if isPart(r, "1") {
				xmlError(w, 403, "AccessDenied")
				return true
			}
			return false
		}, want: fault.Permission, aborts: 1},
		"start": {fail: func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.URL.Query().Has("uploads") {
				xmlError(w, 403, "AccessDenied")
				return true
			}
			return false
		}, want: fault.Permission},
		"completion inside 200": {fail: func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if isComplete(r) {
				xmlError(w, 200, "AccessDenied")
				return true
			}
			return false
		}, want: fault.Permission, aborts: 1},
		"completion lost but done": {fail: func(w http.ResponseWriter, r *http.Request, n int) bool {
			if isComplete(r) {
				if n == 1 {
					hangUp(w)
				} else {
					xmlError(w, 404, "NoSuchUpload")
				}
				return true
			}
			return false
		}, version: "the parts"},
		"completion lost and exclusive": {fail: func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if isComplete(r) {
				hangUp(w)
				return true
			}
			return false
		}, exclusive: true, want: fault.Unavailable, aborts: 1},
		"completion finds an object": {fail: func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if isComplete(r) && r.Header.Get("If-None-Match") == "*" {
				xmlError(w, 412, "PreconditionFailed")
				return true
			}
			return false
		}, exclusive: true, want: fault.Exist, aborts: 1},
		"abort twice": {fail: func(w http.ResponseWriter, r *http.Request, n int) bool {
			if isPart(r, "1") {
				xmlError(w, 403, "AccessDenied")
				return true
			}
			if r.Method == "DELETE" && n < 3 {
				xmlError(w, 503, "SlowDown")
				return true
			}
			return false
		}, want: fault.Permission, aborts: 3},
	} {
		f, s := upload(t, tc.fail)
		s3fs.NoWait(f)
		e, err := send(t.Context(), f, driver.CreateOptions{Exclusive: tc.exclusive})
		if fault.KindOf(err) != tc.want {
			t.Errorf("%s: %v of kind %v, want %v", name, err, fault.KindOf(err), tc.want)
		}
		switch {
		case tc.version == "the parts":
			if !strings.HasSuffix(e.Version, "-3") || e.Version == "done-3" {
				t.Errorf("%s: version %q", name, e.Version)
			}
		case e.Version != tc.version:
			t.Errorf("%s: version %q, want %q", name, e.Version, tc.version)
		}
		// One that cut a part off is repeated.
		if got := s.count("DELETE", "uploadId=u1"); got < tc.aborts || tc.aborts == 0 && got > 0 {
			t.Errorf("%s: %d requests to abort, want %d or more", name, got, tc.aborts)
		}
	}
}
