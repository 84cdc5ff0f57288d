package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fsys"
)

type statOptions struct {
	app *App
	raw bool

	sum bulk.Summary
}

func newStat(a *App) *cobra.Command {
	o := &statOptions{app: a}
	c := &cobra.Command{
		Use:   "stat URL...",
		Short: "show what is known about objects and directories",
		Example: `  leat stat s3://bucket/logs/a.gz
  leat stat --json 's3://bucket/logs/*.gz'`,
		Long: `One block of lines for each: url, kind, size in bytes, modified, version, and the
local file where there is one. What the store does not tell is left out. On a pipe a
tab stands between the key and the value.`,
	}
	rawFlag(c, &o.raw)
	c.ValidArgsFunction = a.completeURLs
	return a.command(c, 1, func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) })
}

func (o *statOptions) run(ctx context.Context, args []string) error {
	return o.app.forEach(ctx, "stat", args, &o.sum, o.one)
}

func (o *statOptions) one(ctx context.Context, arg string) error {
	t, err := o.app.resolve(ctx, arg, o.raw)
	if err != nil {
		return err
	}
	if !t.wild {
		e, err := t.stat(ctx)
		if err != nil {
			return err
		}
		return o.print(t, e)
	}
	n := 0
	for e, err := range t.fs.Glob(ctx, t.path, &fsys.GlobOptions{Dirs: true, Others: true}) {
		if err != nil {
			return err
		}
		n++
		if err := o.print(t, e); err != nil {
			return err
		}
	}
	if n == 0 {
		return nothingMatches("stat", arg)
	}
	return nil
}

func (o *statOptions) print(t *target, e fsys.Entry) error {
	url := t.fs.URL(e.Path)
	local, isLocal := t.fs.LocalPath(e.Path)
	first := o.sum.Done == 0
	o.sum.Done++
	o.sum.Bytes += max(e.Size, 0)
	if o.app.json {
		j := newEntryJSON(t.show(e.Path), url, e)
		if isLocal && b64(local) == nil {
			j.Local = local
		}
		return o.app.printJSON(j)
	}
	var b []byte
	if !first {
		b = append(b, '\n')
	}
	line := func(key, value string) {
		if o.app.OutTerm {
			b = fmt.Appendf(b, "%-9s %s\n", key, o.app.visible(value))
		} else {
			b = fmt.Appendf(b, "%s\t%s\n", key, value)
		}
	}
	line("url", url)
	line("kind", e.Kind.String())
	if e.Kind == fsys.File && e.Size >= 0 {
		line("size", fmt.Sprint(e.Size))
	}
	if !e.ModTime.IsZero() {
		line("modified", e.ModTime.UTC().Format(time.RFC3339Nano))
	}
	if e.Version != "" {
		line("version", e.Version)
	}
	if isLocal {
		line("local", local)
	}
	return o.app.record(b)
}
