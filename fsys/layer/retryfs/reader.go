package retryfs

import (
	"context"
	"errors"
	"io"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
)

// A reader reads a body and opens it again where it broke off. It is one
// request, so it keeps its context.
type reader struct {
	ctx    context.Context
	fs     *layer
	path   string
	opts   driver.OpenOptions
	entry  driver.Entry
	body   driver.Reader // nil between a failure and the next try
	failed error         // why body is nil
	given  int64         // bytes given to the caller
	series series
	closed bool
}

// Entry implements driver.Reader.
func (r *reader) Entry() driver.Entry { return r.entry }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for {
		if r.closed {
			return 0, fault.New("read", r.path, fault.Invalid, errors.New("the reader is closed"))
		}
		if r.body == nil {
			if err := r.reopen(); err != nil {
				return 0, err
			}
		}
		n, err := r.body.Read(p)
		if n > 0 {
			r.given += int64(n)
			r.series.progress()
		}
		if err == nil || err == io.EOF {
			return n, err
		}
		r.fail(err)
		if n > 0 {
			return n, nil
		}
	}
}

// fail notes that the body broke.
func (r *reader) fail(err error) {
	if r.body != nil {
		r.body.Close() // its error is that of the read
	}
	r.body, r.failed = nil, err
}

// reopen waits and opens the rest of the body, as often as the series
// allows. An error that stays is returned by each further Read.
func (r *reader) reopen() error {
	for {
		opts, err := r.rest()
		if err != nil {
			return err
		}
		if err := r.series.again(r.ctx, r.failed); err != nil {
			r.failed = err
			return err
		}
		body, err := r.fs.drv.Open(r.ctx, r.path, opts)
		if err == nil {
			r.body, r.failed = body, nil
			return nil
		}
		r.failed = err
	}
}

// rest returns the options for what has not been given, or the failure when
// that cannot be asked for safely.
func (r *reader) rest() (driver.OpenOptions, error) {
	o := r.opts
	if r.entry.Version != "" {
		o.Version = r.entry.Version
	}
	if r.given == 0 {
		return o, nil
	}
	if o.Version == "" || o.Offset < 0 && r.entry.Size < 0 {
		return o, r.failed
	}
	if o.Offset < 0 {
		o.Offset = max(r.entry.Size+o.Offset, 0)
	}
	o.Offset += r.given
	if o.Length > 0 {
		if o.Length -= r.given; o.Length <= 0 {
			return o, io.EOF
		}
	}
	return o, nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.closed = true
	if r.body == nil {
		return nil
	}
	err := r.body.Close()
	r.body = nil
	return err
}
