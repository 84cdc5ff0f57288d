package webdavfs

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/httpwire"
)

const propfindBody = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></propfind>`

// maxAnswer bounds the description of one collection.
const maxAnswer = 1 << 30

// url returns the URL of path.
func (f *FS) url(path string) *url.URL {
	u := *f.base
	u.Path, u.RawPath = "/"+path, "/"+encode(path)
	return &u
}

// encode escapes every byte that is not plain in the path of a URL.
func encode(path string) string {
	const hexDigits = "0123456789ABCDEF"
	b := make([]byte, 0, len(path)+16)
	for _, c := range []byte(path) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}

// send sends one request; the caller closes the body of the answer.
func (f *FS) send(ctx context.Context, op, method, path string, header http.Header, body io.Reader, size int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, f.base.String(), body)
	if err != nil {
		return nil, fault.New(op, path, fault.Invalid, err)
	}
	req.URL = f.url(path)
	for _, h := range []http.Header{f.header, header} {
		for k, v := range h {
			req.Header[k] = v
		}
	}
	if req.ContentLength = size; body == nil {
		req.ContentLength = 0
	}
	resp, err := httpwire.Do(f.transport, req)
	if err != nil {
		return nil, f.fail(op, path, httpwire.KindOf(ctx, err), err)
	}
	return resp, nil
}

// simple sends a request whose answer is a status.
func (f *FS) simple(ctx context.Context, op, method, path string, header http.Header) error {
	resp, err := f.send(ctx, op, method, path, header, nil, 0)
	if err != nil {
		return err
	}
	defer httpwire.Drain(resp.Body)
	name := strings.TrimSuffix(path, "/")
	switch {
	case resp.StatusCode == http.StatusMultiStatus:
		return f.fail(op, name, fault.Unavailable, errors.New("the server did a part of it only"))
	case resp.StatusCode/100 == 2:
		return nil
	}
	return f.refused(op, name, resp)
}

func (f *FS) fail(op, path string, kind fault.Kind, err error) error {
	return &fault.Error{Op: op, Path: path, Kind: kind, Origin: f.base.Host, Err: err}
}

// refused returns the error for an answer that is not a success.
func (f *FS) refused(op, path string, resp *http.Response) error {
	return &fault.Error{
		Op: op, Path: path, Kind: httpwire.KindOfStatus(resp.StatusCode), Origin: f.base.Host, RetryAfter: httpwire.RetryAfter(resp.Header),
		Err: fmt.Errorf("HTTP status %d %s", resp.StatusCode, http.StatusText(resp.StatusCode)),
	}
}

// propfind describes path and, with depth "1", what is right below it.
func (f *FS) propfind(ctx context.Context, op, path, depth string) ([]driver.Entry, error) {
	header := http.Header{"Depth": {depth}, "Content-Type": {"application/xml"}}
	name := path
	for try := 0; ; try++ {
		resp, err := f.send(ctx, op, "PROPFIND", name, header, strings.NewReader(propfindBody), int64(len(propfindBody)))
		if err != nil {
			return nil, rename(err, path)
		}
		// Servers redirect the name of a collection to that with a slash.
		if resp.StatusCode/100 == 3 && try == 0 && path != "" {
			httpwire.Drain(resp.Body)
			name = path + "/"
			continue
		}
		defer httpwire.Drain(resp.Body)
		switch {
		case resp.StatusCode == http.StatusMultiStatus:
		case resp.StatusCode/100 == 2:
			return nil, f.fail(op, path, fault.Unavailable, fmt.Errorf("HTTP status %d without a description", resp.StatusCode))
		case resp.StatusCode == http.StatusMethodNotAllowed && f.belowObject(ctx, path):
			return nil, fault.New(op, path, fault.NotExist, errors.New("what should hold it is not a directory"))
		default:
			return nil, f.refused(op, path, resp)
		}
		all, err := parse(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return nil, f.fail(op, path, httpwire.KindOf(ctx, err), err)
		}
		return all, nil
	}
}

// belowObject reports whether path would lie below something that is no
// collection. The Go server then says that the method is not allowed.
func (f *FS) belowObject(ctx context.Context, path string) bool {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return false
	}
	e, err := f.Stat(ctx, path[:i])
	return err == nil && e.Kind == driver.File || fault.KindOf(err) == fault.NotExist
}

// rename makes err one about path.
func rename(err error, path string) error {
	if e, ok := err.(*fault.Error); ok {
		e.Path = path
	}
	return err
}

// answer is one resource of a multi-status answer.
type answer struct {
	Href     string `xml:"DAV: href"`
	Status   string `xml:"DAV: status"`
	Propstat []struct {
		Status string `xml:"DAV: status"`
		Prop   struct {
			Type struct {
				Collection *struct{} `xml:"DAV: collection"`
			} `xml:"DAV: resourcetype"`
			Length   string `xml:"DAV: getcontentlength"`
			Modified string `xml:"DAV: getlastmodified"`
			ETag     string `xml:"DAV: getetag"`
		} `xml:"DAV: prop"`
	} `xml:"DAV: propstat"`
}

// parse reads a multi-status answer to its end.
func parse(r io.Reader) ([]driver.Entry, error) {
	d := xml.NewDecoder(r)
	var all []driver.Entry
	depth, closed := 0, false
	for {
		t, err := d.Token()
		if err == io.EOF {
			if !closed {
				return nil, fmt.Errorf("the description is cut off: %w", io.ErrUnexpectedEOF)
			}
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("the description is no good XML: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; depth == 1 && t.Name.Local != "multistatus" {
				return nil, fmt.Errorf("the answer is %q, not a description", t.Name.Local)
			}
			if depth != 2 || t.Name.Local != "response" {
				continue
			}
			var a answer
			if err := d.DecodeElement(&a, &t); err != nil {
				return nil, fmt.Errorf("the description is no good XML: %w", err)
			}
			depth--
			e, ok, err := a.entry()
			if err != nil {
				return nil, err
			}
			if ok {
				all = append(all, e)
			}
		case xml.EndElement:
			depth--
			closed = depth == 0
		}
	}
}

// entry reads what a server says of one resource. ok is false for one that
// went while it was described.
func (a *answer) entry() (e driver.Entry, ok bool, err error) {
	u, err := url.Parse(strings.TrimSpace(a.Href))
	if err != nil {
		return e, false, fmt.Errorf("the description names %q: %w", a.Href, err)
	}
	if strings.Contains(a.Status, " 404 ") {
		return e, false, nil
	}
	path := strings.TrimPrefix(u.Path, "/")
	e = driver.Entry{Path: strings.TrimSuffix(path, "/"), Kind: driver.File, Size: -1}
	for _, p := range a.Propstat {
		if p.Status != "" && !strings.Contains(p.Status, " 2") {
			continue
		}
		if p.Prop.Type.Collection != nil {
			e.Kind = driver.Dir
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(p.Prop.Length), 10, 64); err == nil && n >= 0 {
			e.Size = n
		}
		if t, err := http.ParseTime(strings.TrimSpace(p.Prop.Modified)); err == nil {
			e.ModTime = t
		}
		if tag := strings.TrimSpace(p.Prop.ETag); tag != "" {
			e.Version = tag
		}
	}
	if e.Kind == driver.Dir {
		e.Size, e.Version = -1, ""
	}
	return e, true, nil
}
