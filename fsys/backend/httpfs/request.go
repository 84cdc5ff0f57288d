package httpfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/internal/httpwire"
)

const maxRedirects = 10

// An answer is the response to a request after redirects.
type answer struct {
	*http.Response
	url *url.URL // where it came from
	// dir says that a redirect led from the path to the path with a slash at
	// its end: how servers say that it is a directory. The body is closed.
	dir bool
}

// get sends a request for path and follows redirects. The caller closes the
// body. The status may be any; an error is one of the way.
func (f *FS) get(ctx context.Context, op, method, path string, header http.Header) (*answer, error) {
	if f.closed.Load() {
		return nil, &fault.Error{Op: op, Path: path, Kind: fault.Invalid, Err: errors.New("file system is closed")}
	}
	u := f.url(path)
	for range maxRedirects + 1 {
		resp, err := httpwire.Do(f.transport, f.request(ctx, method, u, header))
		if err != nil {
			return nil, f.fail(op, path, httpwire.KindOf(ctx, err), err)
		}
		next, err := redirect(u, resp)
		if err != nil {
			_ = resp.Body.Close()
			return nil, f.fail(op, path, fault.Invalid, err)
		}
		if next == nil {
			return &answer{Response: resp, url: u}, nil
		}
		httpwire.Drain(resp.Body)
		if next.Host == u.Host && path != "" && strings.TrimSuffix(next.EscapedPath(), "/") == u.EscapedPath() && next.EscapedPath() != u.EscapedPath() {
			return &answer{Response: resp, url: next, dir: true}, nil
		}
		u = next
	}
	return nil, f.fail(op, path, fault.Invalid, fmt.Errorf("more than %d redirects", maxRedirects))
}

// request returns one request. A query is that of the store, for as long as
// no redirect sets another.
func (f *FS) request(ctx context.Context, method string, u *url.URL, header http.Header) *http.Request {
	req := (&http.Request{Method: method, URL: u, Host: u.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if u.Host == f.base.Host && u.Scheme == f.base.Scheme {
		for k, v := range f.header {
			req.Header[k] = v
		}
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "leat")
	}
	req.Header.Set("Accept-Encoding", "identity")
	return req
}

// url returns the URL of path.
func (f *FS) url(path string) *url.URL {
	u := *f.base
	u.Path, u.RawPath = "/"+path, "/"+encode(path)
	return &u
}

// redirect returns where resp redirects to, or nil.
func redirect(from *url.URL, resp *http.Response) (*url.URL, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	to, err := from.Parse(resp.Header.Get("Location"))
	switch {
	case err != nil || resp.Header.Get("Location") == "":
		return nil, fmt.Errorf("status %d without a usable Location", resp.StatusCode)
	case to.Scheme != "http" && to.Scheme != "https" || to.Host == "":
		return nil, fmt.Errorf("redirected to a %s URL", to.Scheme)
	case from.Scheme == "https" && to.Scheme == "http":
		return nil, errors.New("redirected from https to http")
	}
	to.Fragment, to.RawFragment = "", ""
	return to, nil
}

// refused returns the error for an answer that is not a success, and closes
// it.
func (f *FS) refused(op, path string, a *answer) error {
	text, _ := io.ReadAll(io.LimitReader(a.Body, 512)) // a part says enough
	_ = a.Body.Close()
	err := f.fail(op, path, httpwire.KindOfStatus(a.StatusCode), errors.New(statusText(a.Response, text)))
	err.RetryAfter = httpwire.RetryAfter(a.Header)
	return err
}

// statusText names the status, with what a plain-text body adds.
func statusText(resp *http.Response, body []byte) string {
	s := fmt.Sprintf("HTTP status %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	if line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n"); strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") && line != "" {
		s += ": " + strings.ToValidUTF8(strings.TrimSpace(line), "\uFFFD")
	}
	return strings.TrimSpace(s)
}

func (f *FS) fail(op, path string, kind fault.Kind, err error) *fault.Error {
	return &fault.Error{Op: op, Path: path, Kind: kind, Origin: f.base.Host, Err: err}
}
