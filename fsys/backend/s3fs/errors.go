package s3fs

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/internal/httpwire"
)

// kinds maps the error codes of S3 and of what speaks like it. Codes that
// are not here go by their HTTP status.
var kinds = map[string]fault.Kind{
	"NoSuchKey":    fault.NotExist,
	"NoSuchBucket": fault.NotExist,
	"NoSuchUpload": fault.NotExist,
	"NotFound":     fault.NotExist,

	"AccessDenied":          fault.Permission,
	"InvalidAccessKeyId":    fault.Permission,
	"SignatureDoesNotMatch": fault.Permission,
	"ExpiredToken":          fault.Permission,
	"InvalidToken":          fault.Permission,
	"RequestTimeTooSkewed":  fault.Permission,
	"XAdminUserNotFound":    fault.Permission,
	"AllAccessDisabled":     fault.Permission,
	"AccountProblem":        fault.Permission,
	"InvalidObjectState":    fault.Permission, // archived: to be restored first

	"PreconditionFailed":         fault.Changed,
	"ConditionalRequestConflict": fault.Unavailable, // two writers at once: try again
	"OperationAborted":           fault.Unavailable,

	"SlowDown":               fault.Throttled,
	"SlowDownRead":           fault.Throttled,
	"SlowDownWrite":          fault.Throttled,
	"ServiceUnavailable":     fault.Throttled,
	"TooManyRequests":        fault.Throttled,
	"RequestLimitExceeded":   fault.Throttled,
	"Throttling":             fault.Throttled,
	"ThrottlingException":    fault.Throttled,
	"BandwidthLimitExceeded": fault.Throttled,

	"RequestTimeout":             fault.Unavailable,
	"IncompleteBody":             fault.Unavailable,
	"InternalError":              fault.Unavailable,
	"XMinioServerNotInitialized": fault.Unavailable,

	"BadDigest":                 fault.Corrupt,
	"XAmzContentSHA256Mismatch": fault.Corrupt,
	"InvalidDigest":             fault.Corrupt,

	"KeyTooLongError":             fault.Invalid,
	"KeyTooLong":                  fault.Invalid,
	"InvalidObjectName":           fault.Invalid,
	"XMinioInvalidObjectName":     fault.Invalid,
	"ObjectParentIsFile":          fault.Invalid, // servers that keep keys as files
	"ExistingObjectIsDirectory":   fault.Invalid,
	"XMinioParentIsObject":        fault.Invalid,
	"DirectoryObjectContainsData": fault.Invalid,
	"ExistingObjectIsFile":        fault.Invalid,

	"NotImplemented":   fault.Unsupported,
	"MethodNotAllowed": fault.Unsupported,

	"EntityTooLarge":                 fault.NoSpace,
	"QuotaExceeded":                  fault.NoSpace,
	"XMinioStorageFull":              fault.NoSpace,
	"XMinioAdminBucketQuotaExceeded": fault.NoSpace,
}

// A reply is an answer that is not a success.
type reply struct {
	Code      string
	Message   string
	Region    string
	RequestID string `xml:"RequestId"`

	status int
	header http.Header
}

// readReply reads and closes the body of an error.
func readReply(resp *http.Response) *reply {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // a part says enough
	httpwire.Drain(resp.Body)
	r := parseReply(resp, body)
	if r.Code == "" {
		// An answer to HEAD has no body.
		r.Code = resp.Header.Get("X-Minio-Error-Code")
	}
	return r
}

// parseReply reads an XML error. Code is empty when body is none.
func parseReply(resp *http.Response, body []byte) *reply {
	r := &reply{}
	if rootOf(body) == "Error" {
		if err := xml.Unmarshal(body, r); err != nil {
			*r = reply{Code: "InternalError", Message: "half an error message"}
		}
	}
	r.status, r.header = resp.StatusCode, resp.Header
	if r.RequestID == "" {
		r.RequestID = resp.Header.Get("X-Amz-Request-Id")
	}
	return r
}

// rootOf returns the name of the first element of a document, or "".
func rootOf(body []byte) string {
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.Token()
		if err != nil {
			return ""
		}
		if e, ok := t.(xml.StartElement); ok {
			return e.Name.Local
		}
	}
}

// region returns the region that a reply sends to, if that is another one.
func (r *reply) region(now string) string {
	to := first(r.header.Get("X-Amz-Bucket-Region"), r.Region)
	misplaced := r.status == http.StatusMovedPermanently || r.status == http.StatusTemporaryRedirect ||
		r.status == http.StatusBadRequest || r.status == http.StatusForbidden
	if !misplaced || to == now || strings.Trim(to, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return ""
	}
	return to
}

// kind classifies the reply. A code that is not known never means absent,
// whatever its status: some services say 404 of a missing user.
func (r *reply) kind() fault.Kind {
	if k, ok := kinds[r.Code]; ok {
		return k
	}
	k := httpwire.KindOfStatus(r.status)
	if k == fault.NotExist && r.Code != "" {
		return fault.Invalid
	}
	return k
}

// Error returns what the service said, on one line.
func (r *reply) Error() string {
	text := strings.Join(strings.Fields(r.Message), " ")
	if r.Code != "" && text == "" {
		text = r.Code
	} else if r.Code != "" {
		text = r.Code + ": " + text
	}
	if text == "" {
		text = fmt.Sprintf("HTTP status %d", r.status)
	}
	switch {
	case r.status == http.StatusMovedPermanently || r.Code == "PermanentRedirect":
		text += "; the bucket is in another region, set AWS_REGION"
	case r.Code == "RequestTimeTooSkewed":
		text += "; is the clock of this machine right?"
	}
	return text
}

// refused returns the error for a reply to q.
func (c *client) refused(ctx context.Context, q *request, r *reply) error {
	e := &fault.Error{
		Op: q.op, Path: q.path, Kind: r.kind(), Origin: c.host(*c.region.Load()),
		RetryAfter: httpwire.RetryAfter(r.header), Err: r,
	}
	if r.Code == "NoSuchBucket" {
		e.Err = fmt.Errorf("bucket %q does not exist", c.bucket)
	}
	if e.Kind == fault.Permission {
		if why := c.keys.unsigned(ctx); why != nil {
			e.Err = fmt.Errorf("%w; %w", r, why)
		}
	}
	return e
}

// hasCode reports whether err is a reply with the code.
func hasCode(err error, code string) bool {
	var r *reply
	return errors.As(err, &r) && r.Code == code
}

// checkKey refuses keys that S3 does not have.
func checkKey(key string) error {
	switch {
	case len(key) > maxKeyBytes:
		return fmt.Errorf("key of %d bytes: S3 has keys of up to %d", len(key), maxKeyBytes)
	case !utf8.ValidString(key):
		return errors.New("key is not valid UTF-8: S3 has no such keys; rename it")
	}
	return nil
}
