package httpwire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/task"
)

// Do sends req on rt, without following redirects. The caller closes the
// body of the response. Errors are those of the transport, without the
// method and URL that an [http.Client] would add: a query may hold secrets.
func Do(rt http.RoundTripper, req *http.Request) (*http.Response, error) {
	defer task.Waiting(req.Context(), req.Method+" "+req.URL.Host+req.URL.Path).Done()
	resp, err := rt.RoundTrip(req)
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	return resp, err
}

// KindOf classifies an error of [Do] or of reading a response body. What is
// not known to be final counts as [fault.Unavailable].
func KindOf(ctx context.Context, err error) fault.Kind {
	if err == nil {
		return fault.None
	}
	if ctx.Err() != nil {
		return fault.KindOf(ctx.Err())
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return fault.Unavailable
	}
	if isTrust(err) || strings.Contains(err.Error(), "HTTP response to HTTPS client") {
		return fault.Invalid
	}
	switch k := fault.KindOf(err); {
	case errors.Is(err, io.ErrUnexpectedEOF), k == fault.Unknown:
		return fault.Unavailable
	default:
		return k
	}
}

// isTrust reports whether the other side's certificate was refused; trying
// again does not help.
func isTrust(err error) bool {
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.As(err, &verify) || errors.As(err, &record) ||
		errors.As(err, &authority) || errors.As(err, &host)
}

// KindOfStatus classifies a status code that is not a success.
func KindOfStatus(code int) fault.Kind {
	switch code {
	case http.StatusNotFound, http.StatusGone:
		return fault.NotExist
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusUnavailableForLegalReasons:
		return fault.Permission
	case http.StatusPreconditionFailed:
		return fault.Changed
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return fault.Throttled
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusMisdirectedRequest:
		return fault.Unavailable
	case http.StatusNotImplemented, http.StatusMethodNotAllowed, http.StatusHTTPVersionNotSupported:
		return fault.Unsupported
	case http.StatusInsufficientStorage, http.StatusRequestEntityTooLarge:
		return fault.NoSpace
	case http.StatusConflict, http.StatusLocked:
		return fault.Unavailable
	}
	if code >= 500 {
		return fault.Unavailable
	}
	return fault.Invalid
}

// RetryAfter returns the wait that a response asks for, in seconds or as a
// date, or 0.
func RetryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	const most = 24 * time.Hour
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		if n < 0 {
			return 0
		}
		return min(time.Duration(min(n, int64(most/time.Second)))*time.Second, most)
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, min(time.Until(t), most))
	}
	return 0
}
