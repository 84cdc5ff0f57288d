package s3fs

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/task"
)

// Remove deletes the object at path. S3 does not say whether there was one.
// A path that ends in "/" names the marker of an empty directory.
func (f *FS) Remove(ctx context.Context, path string) error {
	if path == "" {
		return &fault.Error{Op: "remove", Kind: fault.IsDir, Err: errors.New("a bucket cannot be removed")}
	}
	// One slash at the end is safe: a file is never taken for a directory.
	if err := f.changeable(strings.TrimSuffix(path, "/")); err != nil {
		return &fault.Error{Op: "remove", Path: path, Kind: fault.Invalid, Err: err}
	}
	_, err := f.c.call(ctx, &request{op: "remove", path: path, method: "DELETE", key: path}, nil)
	if fault.KindOf(err) == fault.NotExist && hasCode(err, "NoSuchKey") {
		return nil
	}
	return err
}

// MaxRemoveBatch is 1,000, the limit of S3.
func (f *FS) MaxRemoveBatch() int { return 1000 }

type deleteRequest struct {
	XMLName xml.Name       `xml:"Delete"`
	Quiet   bool           `xml:"Quiet"`
	Objects []deleteObject `xml:"Object"`
}

type deleteObject struct {
	Key string `xml:"Key"`
}

type deleteResult struct {
	XMLName xml.Name `xml:"DeleteResult"`
	Deleted []deleteObject
	Error   []struct{ Key, Code, Message string }
}

// RemoveBatch deletes up to 1,000 objects with one request. Each path has
// its own outcome: what the service does not confirm counts as failed.
func (f *FS) RemoveBatch(ctx context.Context, paths []string) []error {
	errs := make([]error, len(paths))
	var batch []int // indices of what goes into the one request
	var alone []int
	for i, path := range paths {
		switch err := f.changeable(strings.TrimSuffix(path, "/")); {
		case err != nil:
			errs[i] = &fault.Error{Op: "remove", Path: path, Kind: fault.Invalid, Err: err}
		case plainXML(path):
			batch = append(batch, i)
		default:
			alone = append(alone, i)
		}
	}
	if len(batch) > 0 {
		f.removeBatch(ctx, paths, batch, errs)
	}
	f.removeAlone(ctx, paths, alone, errs)
	return errs
}

// removeAlone deletes keys that XML cannot hold.
func (f *FS) removeAlone(ctx context.Context, paths []string, which []int, errs []error) {
	_ = task.Run(ctx, &task.Options{Name: "remove", Limit: 16}, func(g *task.Group) error {
		for _, i := range which {
			g.Go(paths[i], func(ctx context.Context) error {
				errs[i] = f.Remove(ctx, paths[i])
				return nil
			})
		}
		return nil
	})
}

// removeBatch deletes paths[i] for each i of which and sets errs[i].
func (f *FS) removeBatch(ctx context.Context, paths []string, which []int, errs []error) {
	result, err := f.deleteObjects(ctx, paths, which)
	for _, i := range which {
		var e *fault.Error
		if errors.As(err, &e) {
			own := *e
			own.Path = paths[i]
			errs[i] = &own
		} else {
			errs[i] = &fault.Error{Op: "remove", Path: paths[i], Kind: fault.Unavailable, Err: errors.New("the service did not say that it deleted this")}
		}
	}
	if err != nil {
		return
	}
	done := map[string]error{}
	for _, o := range result.Deleted {
		done[o.Key] = nil
	}
	for _, o := range result.Error {
		done[o.Key] = nil
		if r := (&reply{Code: o.Code, Message: o.Message, status: http.StatusInternalServerError}); r.Code != "NoSuchKey" {
			done[o.Key] = &fault.Error{Op: "remove", Path: o.Key, Kind: r.kind(), Err: r}
		}
	}
	// By key and not by place: a path may be named twice.
	for _, i := range which {
		if err, ok := done[paths[i]]; ok {
			errs[i] = err
		}
	}
}

// deleteObjects sends the one request.
func (f *FS) deleteObjects(ctx context.Context, paths []string, which []int) (*deleteResult, error) {
	var d deleteRequest
	for _, i := range which {
		d.Objects = append(d.Objects, deleteObject{paths[i]})
	}
	body, err := xml.Marshal(d)
	if err != nil {
		return nil, &fault.Error{Op: "remove", Kind: fault.Internal, Err: err}
	}
	result := &deleteResult{}
	_, err = f.c.call(ctx, &request{
		op: "remove", method: "POST", query: url.Values{"delete": {""}}, body: body,
		header: map[string]string{"Content-Md5": contentMD5(body), "Content-Type": "application/xml"},
	}, result)
	return result, err
}

// contentMD5 returns the value of a Content-MD5 header.
func contentMD5(body []byte) string {
	sum := md5.Sum(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// plainXML reports whether a key survives a trip through an XML document:
// XML 1.0 has no control characters, and parsers change carriage returns.
func plainXML(key string) bool {
	return !strings.ContainsFunc(key, func(r rune) bool {
		return r < ' ' || r == 0xFFFE || r == 0xFFFF || r == 0xFFFD || 0x7F <= r && r < 0xA0
	})
}
