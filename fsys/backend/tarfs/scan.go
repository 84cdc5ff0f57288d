package tarfs

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// A member is what the table says beside the entry.
type member struct {
	data int64  // where its data begins, in the unpacked archive
	why  string // why it is not opened, or ""
	kind fault.Kind
}

// A table is the contents of one version of the archive.
type table struct {
	src   *archive.Source
	codec *codec // nil: plain
	index *archive.Index[member]
	spare spare
}

// scan makes the table of an archive.
func scan(ctx context.Context, src *archive.Source, o *Options) (*table, error) {
	head, err := readHead(ctx, src)
	if err != nil {
		return nil, err
	}
	c, err := detect(head)
	if err != nil {
		return nil, err
	}
	t := &table{src: src, codec: c}
	var items []archive.Item[member]
	if c == nil {
		w := newWindow(ctx, src)
		items, err = scanTar(w, func() int64 { return w.pos }, src, o)
		err = errors.Join(err, w.close())
	} else {
		items, err = scanPacked(ctx, src, c, o)
	}
	if err != nil {
		return nil, err
	}
	t.index, err = archive.Build(items, o.MaxMembers)
	return t, err
}

// readHead returns the first bytes of the archive.
func readHead(ctx context.Context, src *archive.Source) ([]byte, error) {
	r, err := src.Open(ctx, 0, magicBytes)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, magicBytes))
}

// scanPacked unpacks the archive once.
func scanPacked(ctx context.Context, src *archive.Source, c *codec, o *Options) ([]archive.Item[member], error) {
	body, err := src.Open(ctx, 0, -1)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	packed := &counter{r: bufio.NewReaderSize(body, 256<<10)}
	dec, free, err := c.open(packed)
	if err != nil {
		return nil, err
	}
	defer free()
	plain := &counter{r: dec, check: func(n int64) error {
		if n > o.MaxSize || n > ratioApplies && n/max(packed.n, 1) > o.MaxRatio {
			return &fault.Error{Kind: fault.Refused, Err: fmt.Errorf("%d bytes unpack to %d and more; raise the limits if the archive is trusted", packed.n, n)}
		}
		return ctx.Err()
	}}
	items, err := scanTar(plain, func() int64 { return plain.n }, src, o)
	if err != nil {
		return nil, err
	}
	// What follows the end of the archive belongs to the checksum too.
	_, err = io.Copy(io.Discard, plain)
	return items, err
}

// A counter counts what is read.
type counter struct {
	r     io.Reader
	n     int64
	check func(n int64) error
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.check != nil && err == nil {
		err = c.check(c.n)
	}
	return n, err
}

// scanTar reads all headers. pos tells how far r has been read.
func scanTar(r io.Reader, pos func() int64, src *archive.Source, o *Options) ([]archive.Item[member], error) {
	var items []archive.Item[member]
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		switch {
		case err == io.EOF:
			if len(items) == 0 && pos() == 0 {
				return nil, errors.New("not a tar archive: it is empty")
			}
			return items, nil
		case errors.Is(err, tar.ErrHeader):
			return nil, fmt.Errorf("not a tar archive, or a broken one: no header where one should end, at byte %d", pos())
		case err != nil:
			return nil, err
		case h.Typeflag == tar.TypeXGlobalHeader:
			continue
		case len(h.Name) > archive.MaxName:
			return nil, fmt.Errorf("a name has %d bytes; %d is the most", len(h.Name), archive.MaxName)
		}
		if it := item(h, pos(), src); it.Path != "" {
			items = append(items, it)
		}
		if len(items) > o.MaxMembers {
			return nil, &fault.Error{Kind: fault.Refused, Err: fmt.Errorf("more than %d members; raise the limit if the archive is trusted", o.MaxMembers)}
		}
	}
}

// item describes one member.
func item(h *tar.Header, data int64, src *archive.Source) archive.Item[member] {
	path, isDir := archive.CleanMember(h.Name)
	it := archive.Item[member]{Data: member{data: data}, Entry: driver.Entry{Path: path, Kind: driver.File, Size: h.Size, ModTime: h.ModTime}}
	refuse := func(why string) {
		it.Kind, it.Size, it.Data.why, it.Data.kind = driver.Other, -1, why, fault.Refused
	}
	switch bad := archive.CheckName(path); {
	case path != "" && bad != nil:
		refuse(bad.Error() + ", so unpacking it could write anywhere")
	case h.Typeflag == tar.TypeDir || isDir:
		it.Kind, it.Size = driver.Dir, -1
	case h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink:
		refuse("a link; links in archives are not followed")
	case h.Typeflag == tar.TypeGNUSparse || sparse(h):
		it.Data.why, it.Data.kind = "a sparse member; store it without holes", fault.Unsupported
	case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeCont:
		refuse("neither a file nor a directory")
	}
	if it.Kind == driver.File {
		it.Version = src.Version(strconv.FormatInt(data, 36) + "-" + strconv.FormatInt(h.Size, 36) + "-" + strconv.FormatInt(h.ModTime.UnixNano(), 36))
	}
	return it
}

func sparse(h *tar.Header) bool {
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}
