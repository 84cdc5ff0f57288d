package gitfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// Options tunes [Open]. A nil pointer is the default, and so is each zero.
type Options struct {
	// Rev names the commit, as git does. Default: HEAD.
	Rev string
	// MaxNames is the most names that a commit may have, directories
	// included. Default ten million; negative: no limit.
	MaxNames int
}

// An FS is the tree of a commit. It implements [driver.FS], for reading.
type FS struct {
	repo  repo
	held  *archive.Held[*tree]
	files *catFiles
}

var _ driver.FS = (*FS)(nil)

// A tree is what is in one commit.
type tree struct {
	index *archive.Index[blob]
}

// A blob is the hash of a file, and why it is not opened.
type blob struct {
	hash string
	why  string
}

// Open reads the tree of a commit in the repository at dir, a name of the
// operating system. opts may be nil.
func Open(ctx context.Context, dir string, opts *Options) (*FS, error) {
	o := Options{Rev: "HEAD"}
	if opts != nil {
		o = *opts
	}
	if o.Rev == "" {
		o.Rev = "HEAD"
	}
	switch {
	case o.MaxNames == 0:
		o.MaxNames = 10_000_000
	case o.MaxNames < 0:
		o.MaxNames = int(^uint(0) >> 1)
	}
	r := repo{dir: dir, rev: o.Rev}
	held, err := archive.Hold(ctx, func(ctx context.Context) (*tree, archive.Origin, error) {
		c, err := r.resolve(ctx)
		if err != nil {
			return nil, nil, err
		}
		t, err := c.tree(ctx, o.MaxNames)
		return t, c, err
	}, nil)
	if err != nil {
		return nil, err
	}
	return &FS{repo: r, held: held, files: newCatFiles(r)}, nil
}

// Backend returns how "git,rev=REV://path::REPO" plugs into a mux. opts may be
// nil; its Rev is for URLs without one.
func Backend(opts *Options) fsys.Backend {
	return fsys.Backend{
		Over: func(ctx context.Context, inner *fsys.FS, path string, link fsys.LinkOptions) (driver.FS, error) {
			var o Options
			if opts != nil {
				o = *opts
			}
			for name, value := range link {
				if name != "rev" {
					return nil, fault.New("open", inner.URL(path), fault.Invalid, fmt.Errorf("unknown option %s; rev is known", name))
				}
				o.Rev = value
			}
			dir, ok := inner.LocalPath(path)
			if !ok {
				return nil, fault.New("open", inner.URL(path), fault.Unsupported, errors.New("git reads repositories of this machine only; clone it first"))
			}
			f, err := Open(ctx, dir, &o)
			if err != nil {
				return nil, err
			}
			return f, nil
		},
	}
}

// A repo is a repository and the name of a commit.
type repo struct{ dir, rev string }

// command returns git with the environment kept from leading it elsewhere.
func (r repo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--no-replace-objects", "-c", "core.fsmonitor=false", "-c", "protocol.allow=never", "-C", r.dir}, args...)...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GIT_") || strings.HasPrefix(v, "GIT_CONFIG_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C", "GIT_NO_LAZY_FETCH=1", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0")
	return cmd
}

// waitDelay bounds the wait for what a killed git leaves behind.
const waitDelay = 5 * time.Second

// output runs git and returns what it prints.
func (r repo) output(ctx context.Context, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := r.command(ctx, args...)
	cmd.Stderr, cmd.WaitDelay = &stderr, waitDelay
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	return nil, r.fail(ctx, err, stderr.String())
}

// fail says why git failed.
func (r repo) fail(ctx context.Context, err error, stderr string) error {
	text, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(stderr), "fatal: "), "\n")
	kind := fault.Unknown
	switch {
	case ctx.Err() != nil:
		return fault.New("open", r.dir, fault.KindOf(ctx.Err()), context.Cause(ctx))
	case errors.Is(err, exec.ErrNotFound):
		kind, text = fault.Unsupported, "the program git is not installed"
	case strings.Contains(text, "dubious ownership"):
		kind = fault.Permission
	case strings.Contains(text, "not a git repository"):
		kind = fault.Invalid
	case strings.Contains(text, "Needed a single revision"), strings.Contains(text, "unknown revision"):
		kind, text = fault.NotExist, fmt.Sprintf("the repository has no commit %q", r.rev)
	case strings.Contains(text, "Permission denied"):
		kind = fault.Permission
	case strings.Contains(text, "cannot change to"):
		kind = fault.NotExist
	case text != "":
		kind = fault.Corrupt
	}
	if text == "" {
		text = err.Error()
	}
	return fault.New("open", r.dir, kind, errors.New("git: "+text))
}

// A commit is what rev meant.
type commit struct {
	repo repo
	hash string
	time time.Time
}

// resolve finds the commit.
func (r repo) resolve(ctx context.Context) (*commit, error) {
	if strings.HasPrefix(r.rev, "-") || strings.IndexByte(r.rev, 0) >= 0 {
		return nil, fault.New("open", r.dir, fault.Invalid, fmt.Errorf("%q is no name of a commit", r.rev))
	}
	if _, err := os.Stat(r.dir); err != nil {
		kind := fault.KindOf(err)
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, fault.New("open", r.dir, kind, err)
	}
	out, err := r.output(ctx, "rev-parse", "--verify", r.rev+"^{commit}")
	if err != nil {
		return nil, err
	}
	c := &commit{repo: r, hash: strings.TrimSpace(string(out))}
	if out, err = r.output(ctx, "log", "-1", "--no-show-signature", "--format=%ct", c.hash, "--"); err != nil {
		return nil, err
	}
	sec, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return nil, fault.New("open", r.dir, fault.Corrupt, fmt.Errorf("the time of commit %s: %w", c.hash, err))
	}
	c.time = time.Unix(sec, 0)
	return c, nil
}

// Same implements archive.Origin.
func (c *commit) Same(ctx context.Context) (bool, error) {
	now, err := c.repo.resolve(ctx)
	if fault.KindOf(err) == fault.NotExist {
		return false, nil
	}
	return err == nil && now.hash == c.hash, err
}

// tree reads the names in a commit.
func (c *commit) tree(ctx context.Context, most int) (*tree, error) {
	out, err := c.repo.output(ctx, "ls-tree", "-r", "-t", "-z", "-l", "--full-tree", c.hash)
	if err != nil {
		return nil, err
	}
	items, err := parseTree(out, c.time)
	t := &tree{}
	if err == nil {
		t.index, err = archive.Build(items, most)
	}
	if err != nil {
		return nil, archive.Dress("open", c.repo.dir, err)
	}
	return t, nil
}

// parseTree reads "mode type hash size\tname\0" lines.
func parseTree(out []byte, at time.Time) ([]archive.Item[blob], error) {
	var items []archive.Item[blob]
	for len(out) > 0 {
		line, rest, ok := bytes.Cut(out, []byte{0})
		head, name, ok2 := bytes.Cut(line, []byte{'\t'})
		f := bytes.Fields(head)
		if !ok || !ok2 || len(f) != 4 || len(name) == 0 {
			return nil, fmt.Errorf("git lists %q", line[:min(len(line), 100)])
		}
		out = rest
		it := archive.Item[blob]{Entry: driver.Entry{Path: string(name), Kind: driver.Other, Size: -1, ModTime: at}, Data: blob{hash: string(f[2])}}
		switch bad := archive.CheckName(it.Path); {
		case bad != nil:
			it.Data.why = bad.Error() + ", so unpacking it could write anywhere"
		case string(f[1]) == "tree":
			it.Kind, it.ModTime = driver.Dir, time.Time{}
		case string(f[0]) == "120000":
			it.Data.why = "a symbolic link; links in commits are not followed"
		case string(f[1]) != "blob":
			it.Data.why = "a submodule; open its own repository"
		default:
			n, err := strconv.ParseInt(string(f[3]), 10, 64)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("git lists %q with the size %q", name, f[3])
			}
			it.Kind, it.Size, it.Version = driver.File, n, it.Data.hash
		}
		items = append(items, it)
	}
	return items, nil
}

// Stat implements [driver.FS].
func (f *FS) Stat(ctx context.Context, path string) (driver.Entry, error) {
	t, err := f.held.Get(ctx, "stat", path)
	if err != nil {
		return driver.Entry{}, err
	}
	it, err := t.index.Find("stat", path)
	if err != nil {
		return driver.Entry{}, err
	}
	return it.Entry, nil
}

// List implements [driver.FS].
func (f *FS) List(ctx context.Context, dir string, opts driver.ListOptions) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		t, err := f.held.Get(ctx, "list", dir)
		if err != nil {
			yield(driver.Entry{}, err)
			return
		}
		t.index.List(ctx, dir, opts)(yield)
	}
}

// Open implements [driver.FS].
func (f *FS) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	t, err := f.held.Get(ctx, "open", path)
	if err != nil {
		return nil, err
	}
	it, err := t.index.FindFile("open", path)
	if err != nil {
		return nil, err
	}
	switch {
	case it.Kind != driver.File:
		return nil, fault.New("open", path, fault.Refused, errors.New(it.Data.why))
	case opts.Version != "" && opts.Version != it.Version:
		return nil, fault.New("open", path, fault.Changed, nil)
	}
	off, n := archive.Span(it.Size, opts)
	if n == 0 {
		return archive.NewReader(ctx, it.Entry, nil, 0, nil, nil), nil
	}
	r, err := f.files.open(ctx, it, off, n)
	if err != nil {
		return nil, archive.Dress("open", path, err)
	}
	return r, nil
}

// Create fails: a commit does not change.
func (f *FS) Create(_ context.Context, path string, _ driver.CreateOptions) (driver.Writer, error) {
	return nil, readOnly("create", path)
}

// Remove fails: a commit does not change.
func (f *FS) Remove(_ context.Context, path string) error { return readOnly("remove", path) }

func readOnly(op, path string) error {
	return fault.New(op, path, fault.Unsupported, errors.New("a commit does not change"))
}

// Close implements [driver.FS]. It ends the processes that nobody reads from.
func (f *FS) Close() error {
	f.files.close()
	return f.held.Close()
}
