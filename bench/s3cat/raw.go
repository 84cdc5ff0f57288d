package main

import (
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
	endpoint      string
	jobs, objects int
}

// readRaw reads all objects with signed GETs over plain net/http and writes
// them to w, in any order. It is the practical limit of server and machine.
func readRaw(ctx context.Context, o rawOptions, w io.Writer) error {
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
				body, err := get(ctx, client, o.endpoint, key(int(i)))
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

// get reads one object.
func get(ctx context.Context, client *http.Client, endpoint, key string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/"+bucket+"/"+key, nil)
	if err != nil {
		return nil, err
	}
	sign(req, time.Now().UTC())
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %s: %s", key, resp.Status)
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
