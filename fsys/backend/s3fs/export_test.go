package s3fs

import (
	"context"
	"encoding/xml"
	"net/url"
	"testing"
	"time"
)

// Uploads returns the keys of the uploads that were begun and not ended.
func Uploads(t *testing.T, f *FS) []string {
	t.Helper()
	var result struct {
		XMLName xml.Name `xml:"ListMultipartUploadsResult"`
		Upload  []struct{ Key string }
	}
	q := &request{op: "uploads", method: "GET", query: url.Values{"uploads": {""}}}
	if _, err := f.c.call(t.Context(), q, &result); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, u := range result.Upload {
		keys = append(keys, u.Key)
	}
	return keys
}

// NoWait makes retries immediate and reports the waits.
func NoWait(f *FS) *[]time.Duration {
	var waits []time.Duration
	f.wait = func(ctx context.Context, d time.Duration) error {
		waits = append(waits, d)
		return ctx.Err()
	}
	return &waits
}

// SetMaxCopy sets the largest object that one request copies.
func SetMaxCopy(f *FS, n int64) { f.maxCopy = n }

// PartSize and EscapePath are tested as they are.
var (
	PartSize   = partSize
	EscapePath = escapePath
	PlainXML   = plainXML
)

// PutMarker leaves an empty object with a slash at the end of its key.
func PutMarker(t *testing.T, f *FS, key string) {
	t.Helper()
	q := &request{op: "mark", path: key, method: "PUT", key: key, body: []byte{}}
	if _, err := f.c.call(t.Context(), q, nil); err != nil {
		t.Fatal(err)
	}
}

// ParseINI is tested as it is.
var ParseINI = parseINI

// LookAgain makes the next request look for credentials again.
func LookAgain(f *FS) { f.c.keys.look = time.Time{} }
