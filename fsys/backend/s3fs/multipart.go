package s3fs

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
)

// An upload is a multipart upload under way. Its methods are for the one
// goroutine of the writer.
type upload struct {
	f       *FS
	path    string
	id      string
	ctx     context.Context // ends when the writer's does, or at the first failure
	cancel  context.CancelCauseFunc
	slots   chan struct{}
	running sync.WaitGroup
	started int

	mu   sync.Mutex
	done []part
	cut  bool // the request of a part was cut off
}

type part struct {
	PartNumber int
	ETag       string
}

// startUpload begins an upload. The request runs to its end even when ctx
// ends meanwhile: an upload whose id nobody has learned stays for ever.
func (f *FS) startUpload(ctx context.Context, path string) (*upload, error) {
	var result struct {
		XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
		UploadID string   `xml:"UploadId"`
	}
	q := &request{op: "write", path: path, method: "POST", key: path, query: url.Values{"uploads": {""}}, once: true}
	err := f.retry(ctx, true, func() error {
		long, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_, err := f.c.call(long, q, &result)
		return err
	})
	if err == nil && result.UploadID == "" {
		err = &fault.Error{Op: "write", Path: path, Kind: fault.Unavailable, Err: errors.New("the service gave no upload id")}
	}
	if err != nil {
		return nil, err
	}
	u := &upload{f: f, path: path, id: result.UploadID, slots: make(chan struct{}, f.s.PartsInFlight)}
	u.ctx, u.cancel = context.WithCancelCause(ctx)
	return u, nil
}

// put uploads the next part in the background and calls release when its
// bytes are no longer needed. It blocks while all slots are busy, and fails
// when an earlier part has failed.
func (u *upload) put(body []byte, release func()) error {
	select {
	case u.slots <- struct{}{}:
	case <-u.ctx.Done():
	}
	if u.ctx.Err() != nil {
		release()
		return context.Cause(u.ctx)
	}
	u.started++
	number := u.started
	if number > maxParts {
		release()
		err := fmt.Errorf("object is too large: %d parts are not enough; set a larger PartBytes or a SizeHint", maxParts)
		return &fault.Error{Op: "write", Path: u.path, Kind: fault.Invalid, Err: err}
	}
	// Owned by the upload: complete and abort wait for it.
	u.running.Go(func() {
		defer func() { <-u.slots }()
		defer release()
		tag, err := u.putPart(number, body)
		if err != nil {
			u.mu.Lock()
			u.cut = u.cut || fault.KindOf(err) == fault.Canceled
			u.mu.Unlock()
			u.cancel(err)
			return
		}
		u.mu.Lock()
		u.done = append(u.done, part{number, tag})
		u.mu.Unlock()
	})
	return nil
}

// putPart uploads one part, trying again where that may help.
func (u *upload) putPart(number int, body []byte) (etag string, err error) {
	q := &request{
		op: "write", path: u.path, method: "PUT", key: u.path, body: body,
		query:  url.Values{"partNumber": {strconv.Itoa(number)}, "uploadId": {u.id}},
		header: map[string]string{"Content-Md5": contentMD5(body)},
	}
	err = u.f.retry(u.ctx, false, func() error {
		h, err := u.f.c.call(u.ctx, q, nil)
		etag = h.Get("Etag")
		return err
	})
	return etag, err
}

// completion is the request that makes parts an object.
type completion struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Parts   []part   `xml:"Part"`
}

// complete waits for the parts and makes them an object, under the
// conditions of w. It returns the ETag.
func (u *upload) complete(ctx context.Context, w *writer) (string, error) {
	stop := context.AfterFunc(ctx, func() { u.cancel(ctx.Err()) })
	defer stop()
	u.running.Wait()
	if u.ctx.Err() != nil {
		return "", context.Cause(u.ctx)
	}
	slices.SortFunc(u.done, func(a, b part) int { return a.PartNumber - b.PartNumber })
	body, err := xml.Marshal(completion{Parts: u.done})
	if err != nil {
		return "", err
	}
	q := &request{
		op: "commit", path: u.path, method: "POST", key: u.path, body: body, once: true,
		query: url.Values{"uploadId": {u.id}}, header: map[string]string{"Content-Type": "application/xml"},
	}
	w.exclusive(q)
	var result struct {
		XMLName xml.Name `xml:"CompleteMultipartUploadResult"`
		ETag    string
	}
	lost := false // an answer did not arrive
	err = u.f.retry(ctx, w.opts.Exclusive, func() error {
		_, err := u.f.c.call(ctx, q, &result)
		if lost && hasCode(err, "NoSuchUpload") {
			return u.confirm(ctx, err, &result.ETag)
		}
		lost = lost || err != nil
		return err
	})
	if err == nil {
		u.cancel(nil)
	}
	return result.ETag, err
}

// confirm finds out whether an earlier request to complete the upload, whose
// answer got lost, was carried out: then the object has the ETag that S3
// makes of the ETags of the parts.
func (u *upload) confirm(ctx context.Context, err error, tag *string) error {
	e, headErr := u.f.head(ctx, "commit", u.path, u.path, nil)
	if headErr == nil && e.Version == combinedETag(u.done) {
		*tag = e.Version
		return nil
	}
	return &fault.Error{
		Op: "commit", Path: u.path, Kind: fault.Unavailable,
		Err: fmt.Errorf("the answer got lost and the upload is gone, the object may be there: %w", err),
	}
}

// combinedETag returns the ETag of an object of several parts, or "" where
// the ETags of the parts are not MD5 sums.
func combinedETag(parts []part) string {
	sum := md5.New()
	for _, p := range parts {
		b, err := hex.DecodeString(version(p.ETag))
		if err != nil || len(b) != md5.Size {
			return ""
		}
		_, _ = sum.Write(b) // never fails
	}
	return fmt.Sprintf("%x-%d", sum.Sum(nil), len(parts))
}

// abortAgain is how long to wait before an upload is aborted again: a
// service may still be busy with a part whose connection was cut, and bring
// the upload back when it is done with it.
var abortAgain = []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second}

// abort ends the parts in flight and then the upload, also after the context
// of the writer has ended. A part that arrives after an abort would stay, so
// it waits for them first, and asks again where one was cut off.
func (u *upload) abort() error {
	u.cancel(context.Canceled)
	u.running.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), abortTimeout)
	defer cancel()
	_, err := u.abortOnce(ctx)
	if err != nil || !u.cut {
		return err
	}
	for _, d := range abortAgain {
		if err := u.f.wait(ctx, d); err != nil {
			return err
		}
		if gone, err := u.abortOnce(ctx); err != nil || gone {
			return err
		}
	}
	return nil
}

// abortOnce aborts the upload, or says that it is gone already.
func (u *upload) abortOnce(ctx context.Context) (gone bool, err error) {
	q := &request{op: "abort", path: u.path, method: "DELETE", key: u.path, query: url.Values{"uploadId": {u.id}}}
	err = u.f.retry(ctx, false, func() error {
		_, err := u.f.c.call(ctx, q, nil)
		if gone = fault.KindOf(err) == fault.NotExist; gone {
			return nil
		}
		return err
	})
	return gone, err
}
