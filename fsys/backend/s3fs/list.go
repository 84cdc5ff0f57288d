package s3fs

import (
	"context"
	"encoding/xml"
	"errors"
	"iter"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// A page is one answer to ListObjectsV2.
type page struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	IsTruncated           bool
	NextContinuationToken string
	EncodingType          string
	Contents              []object
	CommonPrefixes        []struct{ Prefix string }
}

type object struct {
	Key          string
	LastModified time.Time
	ETag         string
	Size         int64
}

// unmarshalReply reads a page; see [client.call].
func (p *page) unmarshalReply(body []byte) error {
	if scanned, ok := scanPage(body); ok {
		*p = *scanned
		return nil
	}
	return xml.Unmarshal(body, p)
}

// listPage asks for one page. Keys come escaped, because XML cannot hold all
// of them, and are unescaped here.
func (f *FS) listPage(ctx context.Context, op, path string, query url.Values) (*page, error) {
	query.Set("list-type", "2")
	query.Set("encoding-type", "url")
	p := &page{}
	if _, err := f.c.call(ctx, &request{op: op, path: path, method: "GET", query: query}, p); err != nil {
		return nil, err
	}
	if p.EncodingType != "url" {
		return p, nil
	}
	for i := range p.Contents {
		if err := unescape(&p.Contents[i].Key); err != nil {
			return nil, &fault.Error{Op: op, Path: path, Kind: fault.Corrupt, Err: err}
		}
	}
	for i := range p.CommonPrefixes {
		if err := unescape(&p.CommonPrefixes[i].Prefix); err != nil {
			return nil, &fault.Error{Op: op, Path: path, Kind: fault.Corrupt, Err: err}
		}
	}
	return p, nil
}

func unescape(s *string) error {
	if !strings.ContainsAny(*s, "%+") {
		return nil
	}
	plain, err := url.QueryUnescape(*s)
	if err != nil {
		return err
	}
	*s = plain
	return nil
}

// entries returns what p holds in byte order: objects and prefixes come as
// two sorted lists. An empty object with a key that ends in "/" is a
// directory.
func (p *page) entries() iter.Seq[driver.Entry] {
	return func(yield func(driver.Entry) bool) {
		i, j := 0, 0
		for i < len(p.Contents) || j < len(p.CommonPrefixes) {
			if j == len(p.CommonPrefixes) || i < len(p.Contents) && p.Contents[i].Key < p.CommonPrefixes[j].Prefix {
				o := p.Contents[i]
				i++
				e := driver.Entry{Path: o.Key, Kind: driver.File, Size: o.Size, ModTime: o.LastModified, Version: version(o.ETag)}
				if isMarker(o.Key, o.Size) {
					e = driver.Entry{Path: strings.TrimSuffix(o.Key, "/"), Kind: driver.Dir, Size: -1, ModTime: o.LastModified}
				}
				if !yield(e) {
					return
				}
				continue
			}
			e := driver.Entry{Path: strings.TrimSuffix(p.CommonPrefixes[j].Prefix, "/"), Kind: driver.Dir, Size: -1}
			j++
			if !yield(e) {
				return
			}
		}
	}
}

// sortKey is what a listing is ordered by.
func sortKey(e driver.Entry) string {
	if e.Kind == driver.Dir {
		return e.Path + "/"
	}
	return e.Path
}

// List yields what is below dir, 1,000 entries a request. From the second
// page on, the next page is asked for while the loop uses the one before.
func (f *FS) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		l := lister{f: f, ctx: ctx, dir: dir, opts: opts}
		defer l.ahead.Wait()
		defer cancel()
		if err := l.run(func(e driver.Entry) bool { return yield(e, nil) }); err != nil {
			yield(driver.Entry{}, err)
		}
	}
}

// A lister is one listing under way.
type lister struct {
	f     *FS
	ctx   context.Context // of this one listing
	dir   string
	opts  driver.ListOptions
	base  string // prefix of all that is below dir
	any   bool   // the directory is known to exist
	ahead sync.WaitGroup
}

// run passes the entries to yield until that returns false.
func (l *lister) run(yield func(driver.Entry) bool) error {
	if l.dir != "" {
		l.base = l.dir + "/"
	}
	if err := checkKey(l.base + l.opts.Prefix); err != nil {
		return &fault.Error{Op: "list", Path: l.dir, Kind: fault.Invalid, Err: err}
	}
	next := l.fetch(l.first())
	for n := 0; next != nil; n++ {
		p, err := next()
		if err != nil {
			return err
		}
		query, err := l.after(p)
		if err != nil {
			return err
		}
		next = nil
		if query != nil && n == 0 {
			next = l.fetch(query)
		} else if query != nil {
			next = l.fetchAhead(query)
		}
		if !l.pass(p, yield) {
			return nil
		}
	}
	return l.exists()
}

// first returns the query for the first page.
func (l *lister) first() url.Values {
	query := url.Values{"prefix": {l.base + l.opts.Prefix}}
	if !l.opts.Recursive {
		query.Set("delimiter", "/")
	}
	if l.opts.After > l.base {
		query.Set("start-after", l.opts.After)
	}
	return query
}

// after returns the query for the page after p, or nil.
func (l *lister) after(p *page) (url.Values, error) {
	if !p.IsTruncated {
		return nil, nil
	}
	if p.NextContinuationToken == "" {
		err := errors.New("the service says there is more, but not how to get it")
		return nil, &fault.Error{Op: "list", Path: l.dir, Kind: fault.Corrupt, Err: err}
	}
	query := l.first()
	query.Del("start-after")
	query.Set("continuation-token", p.NextContinuationToken)
	return query, nil
}

// pass hands the entries of p on. It returns false when the loop was left.
func (l *lister) pass(p *page, yield func(driver.Entry) bool) bool {
	for e := range p.entries() {
		l.any = true
		// The directory's own marker is not below it.
		if key := sortKey(e); key == l.base || key <= l.opts.After {
			continue
		}
		if !yield(e) {
			return false
		}
	}
	return true
}

// fetch returns a function that gets a page.
func (l *lister) fetch(query url.Values) func() (*page, error) {
	return func() (*page, error) { return l.f.listPage(l.ctx, "list", l.dir, query) }
}

// fetchAhead is fetch begun already.
func (l *lister) fetchAhead(query url.Values) func() (*page, error) {
	var p *page
	var err error
	done := make(chan struct{})
	// Owned by the listing, which waits for it before it ends.
	l.ahead.Go(func() {
		defer close(done)
		p, err = l.fetch(query)()
	})
	return func() (*page, error) {
		<-done // ends with the context
		return p, err
	}
}

// exists makes an absent directory an error once nothing was found in it.
func (l *lister) exists() error {
	if l.any || l.dir == "" {
		return nil
	}
	if l.opts.Prefix != "" || l.opts.After != "" {
		isDir, err := l.f.isDir(l.ctx, "list", l.dir)
		if err != nil || isDir {
			return err
		}
	}
	return &fault.Error{Op: "list", Path: l.dir, Kind: fault.NotExist}
}
