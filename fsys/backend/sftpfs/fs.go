package sftpfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/pkg/sftp"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/dirwalk"
)

// Options tunes [Open]. A nil pointer is the default, and so is each zero.
type Options struct {
	// KnownHosts are the files with the keys of servers. Default:
	// ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts.
	KnownHosts []string
	// IdentityFiles are private keys without a passphrase. Default: the
	// usual ones in ~/.ssh that are there.
	IdentityFiles []string
	// AgentSocket is where the agent listens. Default: SSH_AUTH_SOCK; "none"
	// asks no agent.
	AgentSocket string
	// Password is tried after the keys. Default: LEAT_SFTP_PASSWORD.
	Password string
	// MaxConns is how many connections there are at most, which many calls
	// share. Default 4.
	MaxConns int
	// Prefetch is how many directories a recursive listing reads ahead.
	// Default 16; negative: none.
	Prefetch int
}

func (o *Options) withDefaults() *Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.AgentSocket == "" {
		d.AgentSocket = os.Getenv("SSH_AUTH_SOCK")
	} else if d.AgentSocket == "none" {
		d.AgentSocket = ""
	}
	if d.Password == "" {
		d.Password = os.Getenv("LEAT_SFTP_PASSWORD")
	}
	if d.MaxConns <= 0 {
		d.MaxConns = 4
	}
	if d.Prefetch == 0 {
		d.Prefetch = 16
	}
	return &d
}

const tempPrefix = ".leat-tmp-"

// An FS is an account on a server. It implements [driver.FS].
type FS struct {
	pool *pool
	once sync.Once
}

var _ driver.FS = (*FS)(nil)

// Open returns the server that root, "sftp://user@host:port", names. It does
// not connect yet. opts may be nil.
func Open(ctx context.Context, root string, opts *Options) (*FS, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.New("connect", root, fault.KindOf(err), context.Cause(ctx))
	}
	_, rest, err := Split(root, false)
	if err == nil && rest != "" {
		err = fault.New("connect", root, fault.Invalid, errors.New("a path where only a server can be"))
	}
	if err != nil {
		return nil, err
	}
	s, err := parseServer(strings.TrimSuffix(root[len(scheme):], "/"))
	if err != nil {
		return nil, fault.New("connect", root, fault.Invalid, err)
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return &FS{pool: &pool{opts: opts.withDefaults(), server: s, ctx: own, cancel: cancel}}, nil
}

// Close ends all connections; readers and writers that are open fail.
func (f *FS) Close() error {
	f.once.Do(f.pool.close)
	return nil
}

// checkPath refuses what cannot be the name of a file.
func checkPath(op, p string) error {
	if p == "" {
		return nil
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." {
			return fault.New(op, p, fault.Invalid, errors.New(`a name on this server has no empty component, "." or ".."`))
		}
	}
	if strings.IndexByte(p, 0) >= 0 {
		return fault.New(op, p, fault.Invalid, errors.New("the name has a NUL byte"))
	}
	return nil
}

// fail classifies an error about path.
func (f *FS) fail(ctx context.Context, op, path string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*fault.Error); ok {
		c := *e
		c.Op, c.Path = op, path
		return &c
	}
	e := &fault.Error{Op: op, Path: path, Kind: kindOf(err), Origin: f.pool.server.host, Err: err}
	if ctx.Err() != nil {
		e.Kind, e.Origin, e.Err = fault.KindOf(context.Cause(ctx)), "", context.Cause(ctx)
		if e.Kind == fault.Unknown {
			e.Kind = fault.KindOf(ctx.Err())
		}
	}
	return e
}

// kindOf says what a status of the server, or the lack of one, means.
func kindOf(err error) fault.Kind {
	var status *sftp.StatusError
	if errors.As(err, &status) {
		switch status.FxCode() {
		case sftp.ErrSSHFxBadMessage:
			return fault.Invalid
		case sftp.ErrSSHFxOpUnsupported:
			return fault.Unsupported
		case sftp.ErrSSHFxNoConnection, sftp.ErrSSHFxConnectionLost:
			return fault.Unavailable
		}
		return fault.Unknown
	}
	switch k := fault.KindOf(err); {
	case errors.Is(err, sftp.ErrSSHFxConnectionLost), errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, os.ErrClosed):
		return fault.Unavailable
	case k == fault.Unknown:
		return fault.Unavailable
	default:
		return k
	}
}

// do runs one call on a connection.
func do[T any](ctx context.Context, f *FS, op, path string, fn func(*sftp.Client) (T, error)) (T, error) {
	var none T
	if err := checkPath(op, path); err != nil {
		return none, err
	}
	c, err := f.pool.get(ctx)
	if err != nil {
		return none, f.fail(ctx, op, path, err)
	}
	defer f.pool.put(c)
	v, err := call(ctx, f.pool, c, fn, nil)
	if err != nil {
		return none, f.fail(ctx, op, path, err)
	}
	return v, nil
}

// entry describes what the server says of path. A link has been followed.
func entry(path string, info fs.FileInfo) driver.Entry {
	e := driver.Entry{Path: path, Kind: driver.Other, Size: -1, ModTime: info.ModTime()}
	switch {
	case info.IsDir():
		e.Kind = driver.Dir
	case info.Mode().IsRegular():
		e.Kind, e.Size = driver.File, info.Size()
		e.Version = strconv.FormatInt(e.ModTime.Unix(), 36) + "-" + strconv.FormatInt(e.Size, 36)
	}
	return e
}

// Stat implements [driver.FS].
func (f *FS) Stat(ctx context.Context, path string) (driver.Entry, error) {
	info, err := do(ctx, f, "stat", path, func(c *sftp.Client) (fs.FileInfo, error) { return stat(c, path) })
	if err != nil {
		return driver.Entry{}, err
	}
	return entry(path, info), nil
}

// stat follows links; one that leads nowhere describes itself.
func stat(c *sftp.Client, path string) (fs.FileInfo, error) {
	info, err := c.Stat("/" + path)
	if errors.Is(err, fs.ErrNotExist) {
		if link, lerr := c.Lstat("/" + path); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
			return link, nil
		}
	}
	return info, err
}

// List implements [driver.FS].
func (f *FS) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return dirwalk.List(ctx, dir, opts, f.pool.opts.Prefetch, f.readDir)
}

// readDir returns what is right below dir.
func (f *FS) readDir(ctx context.Context, dir string) ([]driver.Entry, error) {
	infos, err := do(ctx, f, "list", dir, func(c *sftp.Client) ([]fs.FileInfo, error) {
		infos, err := c.ReadDirContext(ctx, "/"+dir)
		if err != nil {
			// OpenSSH says "failure" of what is no directory.
			if info, serr := c.Stat("/" + dir); serr == nil && !info.IsDir() {
				return nil, fs.ErrNotExist
			}
		}
		for i, info := range infos {
			if err == nil && info.Mode()&fs.ModeSymlink != 0 {
				if target, serr := c.Stat("/" + strings.TrimPrefix(dir+"/"+info.Name(), "/")); serr == nil {
					infos[i] = renamed{target, info.Name()}
				}
			}
		}
		return infos, err
	})
	if err != nil {
		return nil, err
	}
	base := ""
	if dir != "" {
		base = dir + "/"
	}
	entries := make([]driver.Entry, 0, len(infos))
	for _, info := range infos {
		if !strings.HasPrefix(info.Name(), tempPrefix) && checkPath("list", info.Name()) == nil && !strings.Contains(info.Name(), "/") {
			entries = append(entries, entry(base+info.Name(), info))
		}
	}
	return entries, nil
}

// renamed is the target of a link under the name of the link.
type renamed struct {
	fs.FileInfo
	name string
}

// Name implements fs.FileInfo.
func (r renamed) Name() string { return r.name }

// Remove implements [driver.FS].
func (f *FS) Remove(ctx context.Context, path string) error {
	if path == "" {
		return fault.New("remove", path, fault.Invalid, errors.New("the root cannot be removed"))
	}
	_, err := do(ctx, f, "remove", path, func(c *sftp.Client) (struct{}, error) {
		err := c.Remove("/" + path)
		if err != nil && kindOf(err) == fault.Unknown {
			// "failure" is all that is said of a directory with something in it.
			if list, lerr := c.ReadDir("/" + path); lerr == nil && len(list) > 0 {
				err = &fault.Error{Kind: fault.Exist, Err: errors.New("the directory is not empty")}
			}
		}
		return struct{}{}, err
	})
	return err
}
