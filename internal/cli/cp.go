package cli

import (
	"context"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/bulk"
)

type cpOptions struct {
	app *App
	copyFlags
	times bool
}

// copyFlags are the flags that cp and mv share.
type copyFlags struct {
	filterFlags
	recursive bool
	flatten   bool
	noClobber bool
	dryRun    bool
	verify    bool
	like      bool
	depth     int
	raw       bool
	jobs      int
}

// add declares the flags; verb is "copied" or "moved".
func (o *copyFlags) add(c *cobra.Command, verb string) {
	f := c.Flags()
	f.BoolVarP(&o.recursive, "recursive", "R", false, "take directories with all that is in them")
	f.BoolVar(&o.flatten, "flatten", false, "put all objects directly into DST, by the last part of their names")
	f.BoolVarP(&o.noClobber, "no-clobber", "n", false, "leave what exists alone")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would be "+verb+" where; change nothing")
	f.BoolVar(&o.verify, "verify", false, "compare each copy with its source by checksum")
	f.IntVar(&o.depth, "max-depth", 0, "with -R, take only `N` levels of a directory; 0 for all")
	f.BoolVar(&o.like, "like-fsspec", false, "land where fsspec's cp, get and put do, by what exists and how many match")
	o.filterFlags.add(c)
	jobsFlag(c, &o.jobs)
	rawFlag(c, &o.raw)
}

// options checks the flags and returns the options of the plan and the run.
func (o *copyFlags) options() (*bulk.PlanOptions, *bulk.Options, error) {
	if err := checkJobs(o.jobs); err != nil {
		return nil, nil, err
	}
	if o.depth < 0 {
		return nil, nil, &usageError{msg: fmt.Sprintf("--max-depth %d: not a number of levels", o.depth)}
	}
	if o.like && o.flatten {
		return nil, nil, &usageError{msg: "--like-fsspec and --flatten do not go together"}
	}
	filter, err := o.filter()
	return &bulk.PlanOptions{
			Recursive: o.recursive, Flatten: o.flatten, Raw: o.raw, Jobs: o.jobs, Filter: filter,
			MaxDepth: o.depth, Compat: o.like,
		}, &bulk.Options{
			Jobs: o.jobs, NoClobber: o.noClobber, Verify: o.verify, KeepErrors: firstErrors,
		}, err
}

func newCp(a *App) *cobra.Command {
	o := &cpOptions{app: a}
	c := &cobra.Command{
		Use:   "cp [-R] [-n] [FLAG...] SRC... DST",
		Short: "copy objects",
		Example: `  leat cp report.txt s3://bucket/report.txt     to that name
  leat cp report.txt s3://bucket/in/            to in/report.txt
  leat cp -R results s3://bucket/               to results/…
  leat cp -R results/ s3://bucket/r             what is in results, to r/…
  leat cp 's3://bucket/logs/*/a.gz' logs/       to logs/…/a.gz, below where wildcards begin
  leat cp --dry-run -R results s3://bucket/     shows each destination`,
		Long: `Where a copy lands depends on how the arguments are spelled, never on what exists:

  SRC                 DST         lands at
  object a/f          d           d
  object a/f          d/          d/f
  directory a/d       n           n/…        with -R
  directory a/d       n/          n/d/…      with -R
  directory a/d/      n or n/     n/…        with -R
  pattern a/*/x       n or n/     n/…/x
  several             n or n/     as with n/

What exists can make it refuse, before anything is copied: an existing directory
named without "/" as the place for one object or directory, an object where a
directory is needed, two sources for one name, a copy onto or into itself.
An object appears at its destination complete or not at all. Inside one store the
store copies. Directories as such are not copied. -n looks before each copy; between
two stores it is also atomic where the store can decide, inside one store it is not.
With --like-fsspec the rules are those of fsspec instead, but for two sources with
one name and a copy onto itself, which stay refused. With -n a tree that was interrupted is resumed: what is there is whole.

--verify trusts a checksum that the store tells where it is the same, else it reads
the copy back. ` + filterText,
	}
	o.add(c, "copied")
	c.Flags().BoolVar(&o.times, "times", false, "give local copies the time of their source; other stores set their own")
	c.ValidArgsFunction = a.completeURLs
	return a.command(c, 2, func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) })
}

func (o *cpOptions) run(ctx context.Context, args []string) error {
	popts, opts, err := o.options()
	if err != nil {
		return err
	}
	last := len(args) - 1
	plan, err := bulk.PlanCopy(ctx, o.app.Mux, args[:last], args[last], popts)
	if err != nil {
		return err
	}
	if o.dryRun {
		return o.app.showSteps("copy", plan)
	}
	t := o.app.track("copied", true)
	opts.Times, opts.Event, opts.Progress = o.times, t.event, &t.prog
	sum, err := bulk.Copy(ctx, plan, opts)
	return t.finish("copy", sum, err)
}

// showSteps prints a plan instead of running it.
func (a *App) showSteps(op string, plan iter.Seq2[bulk.Step, error]) error {
	var n, bytes int64
	for st, err := range plan {
		if err != nil {
			return err
		}
		ev := bulk.Event{Op: op, Src: st.Src.Ref, Dst: st.Dst, Status: bulk.Skipped, Reason: "dry run"}
		if st.Skip != "" {
			ev.Reason = st.Skip
		} else {
			n++
			bytes += max(st.Src.Entry.Size, 0)
		}
		if err := a.showStep(ev); err != nil {
			return err
		}
	}
	return a.dryRun(op, n, bytes)
}

// showStep prints what a dry run would do to one object: source and
// destination with a tab between them.
func (a *App) showStep(ev bulk.Event) error {
	if a.json {
		return a.printJSON(newEventJSON(ev))
	}
	text := a.visible(ev.Src.URL())
	if dst := ev.Dst.URL(); dst != "" {
		between := "\t"
		if a.OutTerm {
			between = " -> "
		}
		text += between + a.visible(dst)
	}
	return a.record([]byte(text + "\n"))
}
