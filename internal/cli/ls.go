package cli

import (
	"context"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fsys"
)

type lsOptions struct {
	app       *App
	long      bool
	recursive bool
	null      bool
	raw       bool

	full bool // names as they were typed, not relative to the directory
	sum  bulk.Summary
}

func newLs(a *App) *cobra.Command {
	o := &lsOptions{app: a}
	c := &cobra.Command{
		Use:   "ls [-l] [-R] [URL...]",
		Short: "list what is in a directory, or what a pattern matches",
		Example: `  leat ls                              what is in the working directory
  leat ls -l s3://bucket/logs/         one level, with size and time
  leat ls -R s3://bucket/logs          all that is below, objects only
  leat ls 's3://bucket/logs/*/a?.gz'   what a pattern matches`,
		Long: `Directories end in "/". One directory is listed with names relative to it;
several arguments and patterns with names as they were typed. On a pipe -l prints
size, time and name with tabs between them. A listing of nothing is no error;
a directory or bucket that does not exist is (exit code 4).`,
	}
	f := c.Flags()
	f.BoolVarP(&o.long, "long", "l", false, "size and time too")
	f.BoolVarP(&o.recursive, "recursive", "R", false, "all that is below")
	f.BoolVarP(&o.null, "null", "0", false, "end names with NUL instead of a line feed")
	rawFlag(c, &o.raw)
	c.ValidArgsFunction = a.completeURLs
	return a.command(c, 0, func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) })
}

func (o *lsOptions) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	o.full = len(args) > 1
	return o.app.forEach(ctx, "ls", args, &o.sum, o.one)
}

// one lists one argument.
func (o *lsOptions) one(ctx context.Context, arg string) error {
	t, err := o.app.resolve(ctx, arg, o.raw)
	if err != nil {
		return err
	}
	var entries iter.Seq2[fsys.Entry, error]
	name := t.show
	if t.wild {
		entries = o.matches(ctx, t)
	} else {
		e, err := t.stat(ctx)
		if err != nil {
			return err
		}
		if e.Kind != fsys.Dir {
			return o.print(t.show(e.Path), t, e)
		}
		entries = t.fs.List(ctx, t.path, &fsys.ListOptions{Recursive: o.recursive})
		if !o.full {
			name = t.below
		}
	}
	for e, err := range entries {
		if err != nil {
			return err
		}
		if err := o.print(name(e.Path), t, e); err != nil {
			return err
		}
	}
	return nil
}

// matches yields what the pattern matches and, with -R, all below the
// directories among it.
func (o *lsOptions) matches(ctx context.Context, t *target) iter.Seq2[fsys.Entry, error] {
	return func(yield func(fsys.Entry, error) bool) {
		last := ""
		for e, err := range t.fs.Glob(ctx, t.path, &fsys.GlobOptions{Dirs: true, Others: true}) {
			if err == nil && last != "" && hasDir(e.Path, last) {
				continue // listed with the directory above it
			}
			if !yield(e, err) || err != nil {
				return
			}
			if !o.recursive || e.Kind != fsys.Dir {
				continue
			}
			last = e.Path
			for e, err := range t.fs.List(ctx, e.Path, &fsys.ListOptions{Recursive: true}) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// hasDir reports whether path is below dir.
func hasDir(path, dir string) bool {
	return len(path) > len(dir) && path[len(dir)] == '/' && path[:len(dir)] == dir
}

func (o *lsOptions) print(name string, t *target, e fsys.Entry) error {
	o.sum.Done++
	o.sum.Bytes += max(e.Size, 0)
	if e.Kind == fsys.Dir && name != "" && name[len(name)-1] != '/' {
		name += "/"
	}
	if o.app.json {
		return o.app.printJSON(newEntryJSON(name, t.fs.URL(e.Path), e))
	}
	return o.app.printName(name, e, o.long, o.null)
}

// printName prints one line of a listing.
func (s *Streams) printName(name string, e fsys.Entry, long, null bool) error {
	end := "\n"
	if null {
		end = "\x00"
	} else {
		name = s.visible(name)
	}
	if s.Color && e.Kind == fsys.Dir {
		name = "\x1b[1;34m" + name + "\x1b[0m"
	}
	if !long {
		return s.record([]byte(name + end))
	}
	if s.OutTerm {
		bytes := "-"
		if e.Kind == fsys.File && e.Size >= 0 {
			bytes = size(e.Size)
		}
		return s.record(fmt.Appendf(nil, "%9s  %16s  %s%s", bytes, s.stamp(e.ModTime), name, end))
	}
	bytes := "-"
	if e.Kind == fsys.File && e.Size >= 0 {
		bytes = fmt.Sprint(e.Size)
	}
	return s.record(fmt.Appendf(nil, "%s\t%s\t%s%s", bytes, s.stamp(e.ModTime), name, end))
}
