package s3fs_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/leat-dev/leat/fsys/backend/s3fs"
	"github.com/leat-dev/leat/fsys/driver"
)

// instant opens a bucket on a server in this process that answers at once,
// so that what is measured is mostly the client.
func instant(b *testing.B, h http.HandlerFunc) *s3fs.FS {
	b.Helper()
	srv := httptest.NewServer(h)
	b.Cleanup(srv.Close)
	f, err := s3fs.Open(b.Context(), "s3://b", &s3fs.Options{Endpoint: srv.URL, AccessKey: "a", SecretKey: "s"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	return f
}

func BenchmarkRead4KiB(b *testing.B) {
	data := bytes.Repeat([]byte("x"), 4096)
	f := instant(b, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		_, _ = w.Write(data)
	})
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := f.Open(b.Context(), "dir/object-name", driver.OpenOptions{})
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, r)
			_ = r.Close()
		}
	})
}

func BenchmarkWrite4KiB(b *testing.B) {
	data := bytes.Repeat([]byte("x"), 4096)
	f := instant(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
	})
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w, err := f.Create(b.Context(), "dir/object-name", driver.CreateOptions{SizeHint: int64(len(data))})
			if err != nil {
				b.Fatal(err)
			}
			_, _ = w.Write(data)
			if _, err := w.Commit(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkList reads pages of 1,000 entries; one operation is one entry.
func BenchmarkList(b *testing.B) {
	var page strings.Builder
	page.WriteString(`<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><KeyCount>1000</KeyCount><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>`)
	for i := range 1000 {
		_, _ = fmt.Fprintf(&page, `<Contents><Key>logs/2026/11/20/part-%05d.gz</Key><LastModified>2026-11-20T10:00:00.000Z</LastModified><ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><Size>4096</Size><StorageClass>STANDARD</StorageClass></Contents>`, i)
	}
	page.WriteString(`</ListBucketResult>`)
	f := instant(b, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page.String()) })
	b.ReportAllocs()
	n := 0
	for _, err := range f.List(b.Context(), "", driver.ListOptions{Recursive: true}) {
		if err != nil {
			b.Fatal(err)
		}
		if n++; n >= b.N {
			break
		}
	}
}
