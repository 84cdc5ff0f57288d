package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// rawOptions are those of the raw loop.
type rawOptions struct {
	op, endpoint        string
	jobs, objects, size int
}

// rawMethods are the operations that one request does.
var rawMethods = map[string]string{"get": http.MethodGet, "put": http.MethodPut, "delete": http.MethodDelete}

// runRaw does one signed request for each object over plain net/http and
// writes the answers to w, in any order. It is the practical limit of server
// and machine.
func runRaw(ctx context.Context, o rawOptions, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	client := &http.Client{Transport: &http.Transport{
		MaxConnsPerHost: o.jobs, MaxIdleConnsPerHost: o.jobs, DisableCompression: true,
	}}
	var next atomic.Int64
	var out sync.Mutex
	var wg sync.WaitGroup
	for range o.jobs {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(o.objects) && ctx.Err() == nil; i = next.Add(1) - 1 {
				body, err := one(ctx, client, o, int(i))
				if err != nil {
					cancel(err)
					return
				}
				out.Lock()
				_, err = w.Write(body)
				out.Unlock()
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// one does one request and returns its answer.
func one(ctx context.Context, client *http.Client, o rawOptions, i int) ([]byte, error) {
	var body io.Reader
	if o.op == "put" {
		body = bytes.NewReader(content(i, o.size))
	}
	url := o.endpoint + "/" + buckets[o.op] + "/" + key(i)
	req, err := http.NewRequestWithContext(ctx, rawMethods[o.op], url, body)
	if err != nil {
		return nil, err
	}
	sign(req, time.Now().UTC())
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s", o.op, key(i), resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// sign adds an AWS signature, version 4, without a digest of the body.
func sign(req *http.Request, now time.Time) {
	const unsigned, signed = "UNSIGNED-PAYLOAD", "host;x-amz-content-sha256;x-amz-date"
	stamp, day := now.Format("20060102T150405Z"), now.Format("20060102")
	req.Header.Set("X-Amz-Date", stamp)
	req.Header.Set("X-Amz-Content-Sha256", unsigned)
	canonical := fmt.Sprintf("%s\n%s\n\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n\n%s\n%s",
		req.Method, req.URL.EscapedPath(), req.URL.Host, unsigned, stamp, signed, unsigned)
	scope := day + "/" + region + "/s3/aws4_request"
	digest := sha256.Sum256([]byte(canonical))
	text := "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(digest[:])
	k := []byte("AWS4" + secretKey)
	for _, part := range []string{day, region, "s3", "aws4_request", text} {
		m := hmac.New(sha256.New, k)
		m.Write([]byte(part))
		k = m.Sum(nil)
	}
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x",
		accessKey, scope, signed, k))
}
