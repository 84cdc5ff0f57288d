package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fsys"
)

type findOptions struct {
	app  *App
	name string
	kind string
	filterFlags
	long bool
	null bool
	raw  bool

	filtered *bulk.Filter
	sum      bulk.Summary
}

func newFind(a *App) *cobra.Command {
	o := &findOptions{app: a}
	c := &cobra.Command{
		Use:   "find [FLAG...] URL...",
		Short: "list everything below a directory that passes all tests",
		Example: `  leat find s3://bucket/logs --name '*.gz'
  leat find src --min-size 1M --newer 24h
  leat find s3://bucket --type d`,
		Long: `Names are printed as the argument was typed, followed by the rest of the path, as
they are found and in byte order. Without --type only objects are. An object store
has no directories of its own: with --type d those that some object is in.
Finding nothing is no error; a source that does not exist is (exit code 4).

` + filterText,
	}
	f := c.Flags()
	f.StringVar(&o.name, "name", "", "the last part of the name matches `GLOB`")
	f.StringVar(&o.kind, "type", "f", "`T` is f for objects, d for directories, fd for both")
	f.BoolVarP(&o.long, "long", "l", false, "size and time too")
	f.BoolVarP(&o.null, "null", "0", false, "end names with NUL instead of a line feed")
	o.add(c)
	rawFlag(c, &o.raw)
	c.ValidArgsFunction = a.completeURLs
	return a.command(c, 1, func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) })
}

func (o *findOptions) run(ctx context.Context, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	return o.app.forEach(ctx, "find", args, &o.sum, o.one)
}

// check reads the tests.
func (o *findOptions) check() error {
	if strings.Trim(o.kind, "fd") != "" || o.kind == "" {
		return &usageError{msg: fmt.Sprintf("--type %q: not f, d or fd", o.kind)}
	}
	if _, err := fsys.MatchPath(o.name, ""); err != nil {
		return &usageError{msg: "--name: " + err.Error()}
	}
	var err error
	o.filtered, err = o.filter()
	return err
}

// one searches one argument.
func (o *findOptions) one(ctx context.Context, arg string) error {
	t, err := o.app.resolve(ctx, arg, o.raw)
	if err != nil {
		return err
	}
	if t.wild {
		for e, err := range t.fs.Glob(ctx, t.path, &fsys.GlobOptions{Dirs: o.dirs()}) {
			if err != nil {
				return err
			}
			if err := o.print(t, e); err != nil {
				return err
			}
		}
		return nil
	}
	e, err := t.stat(ctx)
	if err != nil {
		return err
	}
	if e.Kind != fsys.Dir {
		return o.print(t, e)
	}
	return o.tree(ctx, t)
}

func (o *findOptions) dirs() bool { return strings.Contains(o.kind, "d") }

// tree searches everything below t. Where the store lists only objects, the
// directories are those of their names: in byte order each stands directly
// before the first object in it.
func (o *findOptions) tree(ctx context.Context, t *target) error {
	top := len(t.path)
	if top > 0 {
		top++
	}
	var open []string // directories that contain the last entry
	for e, err := range t.fs.List(ctx, t.path, &fsys.ListOptions{Recursive: true}) {
		if err != nil {
			return err
		}
		if o.dirs() {
			var err error
			if open, err = o.above(t, e, open, top); err != nil {
				return err
			}
		}
		if err := o.print(t, e); err != nil {
			return err
		}
	}
	return nil
}

// above prints the directories above e, from the byte top of its path on,
// that are not open yet, and returns those that are open after e.
func (o *findOptions) above(t *target, e fsys.Entry, open []string, top int) ([]string, error) {
	for len(open) > 0 && !hasDir(e.Path, open[len(open)-1]) {
		open = open[:len(open)-1]
	}
	if len(open) > 0 {
		top = len(open[len(open)-1]) + 1
	}
	for i := top; i < len(e.Path); i++ {
		if e.Path[i] != '/' {
			continue
		}
		dir := fsys.Entry{Path: e.Path[:i], Kind: fsys.Dir, Size: -1}
		open = append(open, dir.Path)
		if err := o.print(t, dir); err != nil {
			return open, err
		}
	}
	if e.Kind == fsys.Dir {
		open = append(open, e.Path)
	}
	return open, nil
}

// passes applies the tests. A directory passes none on size.
func (o *findOptions) passes(t *target, e fsys.Entry) bool {
	want := "f"
	if e.Kind == fsys.Dir {
		want = "d"
	}
	if !strings.Contains(o.kind, want) {
		return false
	}
	if o.name != "" {
		if ok, _ := fsys.MatchPath(o.name, e.Path[strings.LastIndexByte(e.Path, '/')+1:]); !ok {
			return false
		}
	}
	return o.filtered.Match(t.below(e.Path), e)
}

func (o *findOptions) print(t *target, e fsys.Entry) error {
	if !o.passes(t, e) {
		return nil
	}
	o.sum.Done++
	o.sum.Bytes += max(e.Size, 0)
	name := t.show(e.Path)
	if e.Kind == fsys.Dir && !strings.HasSuffix(name, "/") {
		name += "/"
	}
	if o.app.json {
		return o.app.printJSON(newEntryJSON(name, t.fs.URL(e.Path), e))
	}
	return o.app.printName(name, e, o.long, o.null)
}
