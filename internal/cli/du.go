package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fsys"
)

type duOptions struct {
	app *App
	filterFlags
	total bool
	depth int
	human bool
	raw   bool

	filtered *bulk.Filter
	sum      bulk.Summary
}

func newDu(a *App) *cobra.Command {
	o := &duOptions{app: a}
	c := &cobra.Command{
		Use:   "du [-s] [FLAG...] [URL...]",
		Short: "add up the sizes of what is in directories",
		Example: `  leat du -s s3://bucket
  leat du --max-depth 1 s3://bucket/logs
  leat du -s --include '*.gz' 's3://bucket/logs/*/'`,
		Long: `One line for each directory, behind those inside it: bytes, number of objects, name;
on a pipe with tabs between them. Sizes are those of the contents, not of blocks on a
disk. Objects whose size the store does not tell count as objects, not as bytes; a
warning says so.

` + filterText,
	}
	f := c.Flags()
	f.BoolVarP(&o.total, "summarize", "s", false, "only what was named")
	f.IntVar(&o.depth, "max-depth", -1, "directories at most `N` levels below what was named; -1 for all")
	f.BoolVar(&o.human, "human", false, "sizes with units also on a pipe")
	o.add(c)
	rawFlag(c, &o.raw)
	c.ValidArgsFunction = a.completeURLs
	return a.command(c, 0, func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) })
}

func (o *duOptions) run(ctx context.Context, args []string) (err error) {
	if o.filtered, err = o.filter(); err != nil {
		return err
	}
	if o.total {
		o.depth = 0
	}
	if len(args) == 0 {
		args = []string{"."}
	}
	return o.app.forEach(ctx, "du", args, &o.sum, o.one)
}

// one adds up one argument.
func (o *duOptions) one(ctx context.Context, arg string) error {
	t, err := o.app.resolve(ctx, arg, o.raw)
	if err != nil {
		return err
	}
	if !t.wild {
		return o.tree(ctx, t, t.path)
	}
	n, last := 0, ""
	for e, err := range t.fs.Glob(ctx, t.path, &fsys.GlobOptions{Dirs: true}) {
		if err != nil {
			return err
		}
		n++
		if last != "" && hasDir(e.Path, last) {
			continue // counted with the directory above it
		}
		if e.Kind == fsys.Dir {
			last = e.Path
		}
		if err := o.tree(ctx, t, e.Path); err != nil {
			return err
		}
	}
	if n == 0 {
		return nothingMatches("du", arg)
	}
	return nil
}

// tree adds up what is below path and prints it.
func (o *duOptions) tree(ctx context.Context, t *target, path string) error {
	for u, err := range bulk.Du(ctx, bulk.Ref{FS: t.fs, Path: path}, o.depth, o.filtered) {
		if err != nil {
			return err
		}
		if u.Depth == 0 {
			o.sum.Done += u.Objects
			o.sum.Bytes += u.Bytes
		}
		if err := o.print(t, u); err != nil {
			return err
		}
		if u.Depth == 0 && u.Unsized > 0 {
			o.app.say(fmt.Sprintf("%s in %s: size not known, not counted", objects(u.Unsized), quoteUnprintable(u.URL())))
		}
	}
	return nil
}

// usageJSON is a directory with what is in it.
type usageJSON struct {
	Name    string `json:"name"`
	NameB64 []byte `json:"name_b64,omitempty"`
	URL     string `json:"url"`
	URLB64  []byte `json:"url_b64,omitempty"`
	Bytes   int64  `json:"bytes"`
	Objects int64  `json:"objects"`
	Unsized int64  `json:"unsized,omitempty"`
	Depth   int    `json:"depth"`
}

func (o *duOptions) print(t *target, u bulk.Usage) error {
	name, url := t.show(u.Path), u.URL()
	if o.app.json {
		return o.app.printJSON(usageJSON{
			Name: name, NameB64: b64(name), URL: url, URLB64: b64(url),
			Bytes: u.Bytes, Objects: u.Objects, Unsized: u.Unsized, Depth: u.Depth,
		})
	}
	if o.app.OutTerm {
		return o.app.record(fmt.Appendf(nil, "%10s  %10s  %s\n", size(u.Bytes), count(u.Objects), o.app.visible(name)))
	}
	bytes := fmt.Sprint(u.Bytes)
	if o.human {
		bytes = size(u.Bytes)
	}
	return o.app.record(fmt.Appendf(nil, "%s\t%d\t%s\n", bytes, u.Objects, name))
}
