package s3fs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/internal/httpwire"
)

const (
	emptySHA256     = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	unsignedPayload = "UNSIGNED-PAYLOAD"
	// maxReply bounds a reply that is read whole: 1,000 entries of a listing
	// with keys of 1,024 bytes, each of which may be escaped threefold.
	maxReply = 16 << 20
)

// A client sends requests about one bucket. It is safe for concurrent use.
type client struct {
	bucket   string
	endpoint *url.URL // nil: AWS
	byHost   bool     // the bucket is part of the host name
	keys     *keyring
	region   atomic.Pointer[string]
	bodies   http.RoundTripper // for requests whose response is streamed
	control  http.RoundTripper // for all others; see sharedBodies
	closed   atomic.Bool
}

func newClient(bucket string, s *settings) *client {
	c := &client{bucket: bucket, endpoint: s.endpoint, keys: newKeyring(s)}
	c.region.Store(&s.Region)
	switch s.Addressing {
	case AddressHost:
		c.byHost = true
	case AddressAuto:
		c.byHost = s.endpoint == nil && dnsBucket(bucket)
	}
	return c
}

// A request is one S3 request.
type request struct {
	op, path string // for errors
	method   string
	key      string // empty: the bucket
	query    url.Values
	header   map[string]string
	body     []byte
	stream   bool // the response body is handed on
	once     bool // must not be sent again by the transport
}

// do sends q and returns a response of class 2xx, whose body the caller
// closes. Any other answer is an error.
func (c *client) do(ctx context.Context, q *request) (*http.Response, error) {
	if err := checkKey(q.key); err != nil {
		return nil, &fault.Error{Op: q.op, Path: q.path, Kind: fault.Invalid, Err: err}
	}
	if c.closed.Load() {
		return nil, &fault.Error{Op: q.op, Path: q.path, Kind: fault.Invalid, Err: errors.New("file system is closed")}
	}
	for redirected := false; ; redirected = true {
		region := *c.region.Load()
		resp, err := c.send(ctx, q, region)
		if err != nil {
			return nil, &fault.Error{Op: q.op, Path: q.path, Kind: httpwire.KindOf(ctx, err), Origin: c.host(region), Err: err}
		}
		if resp.StatusCode/100 == 2 {
			return resp, nil
		}
		reply := readReply(resp)
		if to := reply.region(region); to != "" && !redirected {
			c.region.Store(&to)
			continue
		}
		return nil, c.refused(ctx, q, reply)
	}
}

// call sends q and decodes the reply into out, unless that is nil. It
// returns the headers.
func (c *client) call(ctx context.Context, q *request, out any) (http.Header, error) {
	resp, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	defer httpwire.Drain(resp.Body)
	if out == nil {
		return resp.Header, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, &fault.Error{Op: q.op, Path: q.path, Kind: httpwire.KindOf(ctx, err), Origin: c.host(*c.region.Load()), Err: err}
	}
	// Copies and completed uploads report errors inside a status of 200.
	if r := parseReply(resp, body); r.Code != "" {
		return nil, c.refused(ctx, q, r)
	}
	if own, ok := out.(interface{ unmarshalReply([]byte) error }); ok {
		err = own.unmarshalReply(body)
	} else {
		err = xml.Unmarshal(body, out)
	}
	if err != nil {
		err = fmt.Errorf("answer is not the XML of S3; is the endpoint an S3 service? %w", err)
		return nil, &fault.Error{Op: q.op, Path: q.path, Kind: fault.Unavailable, Origin: c.host(*c.region.Load()), Err: err}
	}
	return resp.Header, nil
}

// send signs q for region and sends it once.
func (c *client) send(ctx context.Context, q *request, region string) (*http.Response, error) {
	creds, err := c.keys.get(ctx)
	if err != nil {
		return nil, err
	}
	req := (&http.Request{
		Method: q.method, URL: c.url(q, region), Header: make(http.Header, 10),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	req.Host = req.URL.Host
	for k, v := range q.header {
		req.Header.Set(k, v)
	}
	req.Header.Set("User-Agent", "leat")
	req.Header.Set("X-Amz-Content-Sha256", payloadHash(q, req.URL.Scheme))
	req = signer.SignV4(*req, creds.AccessKeyID, creds.SecretAccessKey, creds.SessionToken, region)
	if q.body != nil {
		req.ContentLength = int64(len(q.body))
		req.Body = io.NopCloser(bytes.NewReader(q.body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(q.body)), nil }
		if len(q.body) == 0 {
			req.Body = http.NoBody
		}
	}
	if !q.once {
		// Empty: not sent, but tells the transport that it may try again on
		// a connection that turns out to be closed.
		req.Header["Idempotency-Key"] = nil
	}
	rt := c.control
	if q.stream {
		rt = c.bodies
	}
	return httpwire.Do(rt, req)
}

// payloadHash returns what the signature says about the body. Over TLS the
// body is safe already, and Content-MD5, which is signed, tells of damage.
func payloadHash(q *request, scheme string) string {
	switch {
	case len(q.body) == 0:
		return emptySHA256
	case scheme == "https" && q.header["Content-Md5"] != "":
		return unsignedPayload
	}
	sum := sha256.Sum256(q.body)
	return hex.EncodeToString(sum[:])
}

// url returns the URL of q.
func (c *client) url(q *request, region string) *url.URL {
	u := &url.URL{Scheme: "https", Host: c.host(region)}
	prefix := "/"
	if c.endpoint != nil {
		u.Scheme, prefix = c.endpoint.Scheme, c.endpoint.Path+"/"
	}
	if c.byHost {
		u.Host = c.bucket + "." + u.Host
	} else {
		prefix += c.bucket
		if q.key != "" {
			prefix += "/"
		}
	}
	u.Path = prefix + q.key
	u.RawPath = escapePath(u.Path)
	u.RawQuery = strings.ReplaceAll(q.query.Encode(), "+", "%20")
	return u
}

// host returns the host of the service.
func (c *client) host(region string) string {
	switch {
	case c.endpoint != nil:
		return c.endpoint.Host
	case strings.HasPrefix(region, "cn-"):
		return "s3." + region + ".amazonaws.com.cn"
	}
	return "s3." + region + ".amazonaws.com"
}

// escapePath escapes every byte of a path that does not stand for itself,
// which is the form that signatures are made of.
func escapePath(s string) string {
	const hexDigits = "0123456789ABCDEF"
	b := make([]byte, 0, len(s)+16)
	for _, c := range []byte(s) {
		if isUnreserved(c) || c == '/' {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}
