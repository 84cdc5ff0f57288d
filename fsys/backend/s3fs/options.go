package s3fs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/leat-dev/leat/fault"
)

// Limits of the protocol and defaults.
const (
	minPartBytes     = 5 << 20  // S3 refuses smaller parts, but for the last
	defaultPartBytes = 16 << 20 // 10,000 growing parts of it reach 5 TiB
	maxPartBytes     = 5 << 30
	maxParts         = 10_000
	maxKeyBytes      = 1024
	defaultRegion    = "us-east-1"
)

// An Addressing says where a request names its bucket.
type Addressing uint8

// The ways to address a bucket.
const (
	// AddressAuto is by host on AWS, where the name of the bucket allows it,
	// and by path everywhere else.
	AddressAuto Addressing = iota
	// AddressPath is http://host/bucket/key.
	AddressPath
	// AddressHost is http://bucket.host/key.
	AddressHost
)

// Options tunes [Open]. The zero value takes everything from where the AWS
// command line takes it.
type Options struct {
	// Endpoint is the URL of the service, "http://127.0.0.1:9000". Default:
	// AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, endpoint_url of the profile,
	// else AWS.
	Endpoint string
	// Region is where the bucket is. Default: AWS_REGION,
	// AWS_DEFAULT_REGION, region of the profile, else us-east-1. When AWS
	// answers that the bucket is elsewhere, that region is used from then
	// on.
	Region string
	// Profile names a section of ~/.aws/config and ~/.aws/credentials.
	// Default: AWS_PROFILE, else "default".
	Profile string
	// AccessKey, SecretKey and SessionToken are credentials. Default:
	// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, the
	// profile (with single sign-on and credential_process), then the role
	// of the container or machine. Where none is found, requests are not
	// signed: public buckets can be read.
	AccessKey, SecretKey, SessionToken string
	// Anonymous sends requests unsigned and looks for no credentials.
	Anonymous bool
	// Addressing says where requests name the bucket.
	Addressing Addressing
	// OddKeys allows writing and removing keys with an empty, "." or ".."
	// part ("a//b", "a/../b") or with control characters on a service that
	// is not AWS. Services that keep keys as files take "a//b" for "a/b"
	// and would replace or remove the wrong object without a word. Default:
	// LEAT_S3_ODD_KEYS=true.
	OddKeys bool
	// PartBytes is the size from which an object is uploaded in parts, and
	// of the first parts. Default 16 MiB; at least 5 MiB. Every 150 parts
	// the size grows by as much again, so that 10,000 parts hold 5 TiB; a
	// writer holds up to PartsInFlight+1 of them in memory.
	PartBytes int64
	// PartsInFlight is how many parts of one object are uploaded at once.
	// Default 4.
	PartsInFlight int
	// Transport carries the requests. Default: one that all stores of the
	// process share, with at most 512 connections to an endpoint for
	// requests and 1,024 for bodies being read.
	Transport http.RoundTripper
}

// settings are Options after all defaults have been looked up.
type settings struct {
	Options
	endpoint *url.URL // nil: AWS
}

// resolve looks up what opts leaves open.
func resolve(opts *Options) (*settings, error) {
	s := &settings{}
	if opts != nil {
		s.Options = *opts
	}
	s.Profile = first(s.Profile, os.Getenv("AWS_PROFILE"), os.Getenv("AWS_DEFAULT_PROFILE"))
	conf, err := readProfile(s.Profile)
	if err != nil {
		return nil, err
	}
	s.Region = first(s.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), conf.region, defaultRegion)
	if os.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") != "true" {
		s.Endpoint = first(s.Endpoint, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"), conf.endpoint)
	}
	s.OddKeys = s.OddKeys || os.Getenv("LEAT_S3_ODD_KEYS") == "true" || s.Endpoint == ""
	if s.Endpoint != "" {
		if s.endpoint, err = parseEndpoint(s.Endpoint); err != nil {
			return nil, err
		}
	}
	switch {
	case s.PartBytes == 0:
		s.PartBytes = defaultPartBytes
	case s.PartBytes < minPartBytes || s.PartBytes > maxPartBytes:
		return nil, fmt.Errorf("part size of %d bytes: must be from 5 MiB to 5 GiB", s.PartBytes)
	}
	if s.PartsInFlight <= 0 {
		s.PartsInFlight = 4
	}
	return s, nil
}

// first returns the first string that is not empty.
func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// parseEndpoint checks the URL of a service. A path in it is kept, as a
// prefix of the paths of all requests.
func parseEndpoint(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("S3 endpoint: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("S3 endpoint %q is not a URL like http://host:port", s)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("S3 endpoint may not hold a user, query or fragment")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

// checkBucket refuses what cannot be the name of a bucket, before it gets
// into a host name or path.
func checkBucket(name string) error {
	if len(name) < 1 || len(name) > 255 || name == "." || name == ".." {
		return fmt.Errorf("%q cannot be a bucket: a name of 1 to 255 bytes is needed, as in s3://bucket/key", name)
	}
	for _, c := range []byte(name) {
		if !isUnreserved(c) && c != ':' {
			return fmt.Errorf("%q cannot be a bucket: only letters, digits and the signs -._~: may be in its name", name)
		}
	}
	return nil
}

// isUnreserved reports whether a byte stands for itself everywhere in a URL.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

// dnsBucket reports whether a bucket can be a label of a host name that a
// wildcard certificate covers.
func dnsBucket(name string) bool {
	if len(name) < 3 || len(name) > 63 || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

const scheme = "s3://"

// Split cuts "s3://bucket/key" into "s3://bucket" and the key. Everything
// after the slash is the key, byte for byte. It is the Split of an
// fsys.Backend.
func Split(rawURL string, _ bool) (root, path string, err error) {
	if len(rawURL) < len(scheme) || !strings.EqualFold(rawURL[:len(scheme)], scheme) {
		return "", "", fault.New("resolve", rawURL, fault.Invalid, errors.New("an S3 URL is like s3://bucket/key"))
	}
	bucket, path, _ := strings.Cut(rawURL[len(scheme):], "/")
	if err := checkBucket(bucket); err != nil {
		return "", "", fault.New("resolve", rawURL, fault.Invalid, err)
	}
	return scheme + bucket, path, nil
}

// Join is the inverse of [Split].
func Join(root, path string) string { return root + "/" + path }

// bucketOf returns the bucket that a root names.
func bucketOf(ctx context.Context, root string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fault.New("connect", root, fault.Unknown, err)
	}
	r, path, err := Split(root, false)
	if err == nil && strings.Trim(path, "/") != "" {
		err = fault.New("connect", root, fault.Invalid, errors.New("a key where only a bucket can be"))
	}
	if err != nil {
		return "", err
	}
	return r[len(scheme):], nil
}
