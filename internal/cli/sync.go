package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
)

type syncOptions struct {
	app *App
	filterFlags
	compare string
	del     bool
	max     int
	dryRun  bool
	verify  bool
	times   bool
	jobs    int
}

// compareModes are the values of --compare.
var compareModes = map[string]bulk.Compare{
	"time": bulk.ByTime, "size": bulk.BySize, "checksum": bulk.ByContent, "always": bulk.Never,
}

func newSync(a *App) *cobra.Command {
	o := &syncOptions{app: a}
	c := &cobra.Command{
		Use:   "sync [--delete] [FLAG...] SRC DST",
		Short: "make a directory like another one",
		Example: `  leat sync results s3://bucket/results
  leat sync --delete --dry-run s3://bucket/site site
  leat sync --compare checksum --verify data s3://bucket/data
  leat sync --exclude '*.tmp' --exclude .git/ . s3://bucket/work`,
		Long: `What is in SRC comes to be in DST, under the same names; a "/" at the end of either
makes no difference. What DST has already is not copied again:

  --compare time      sizes are equal and DST was written after SRC was changed; where
                      a store tells whole seconds, changes within one are copied
            size      sizes are equal
            checksum  contents are equal, by what the stores tell or by reading both
            always    copies everything

A sync that was interrupted is resumed by running it again: objects appear complete
or not at all. Directories as such are neither made nor removed.

--delete removes from DST the objects that are not in SRC, after everything has been
copied. Nothing is removed when a listing broke off, when a copy failed, when SRC has
no object (exit code 5), or when there are more than --max-delete (exit code 5).
Names that --include and --exclude leave out are neither copied nor removed; the
bounds on size and age only limit what is copied.

` + filterText,
	}
	f := c.Flags()
	f.StringVar(&o.compare, "compare", "time", "`MODE` is time, size, checksum or always")
	f.BoolVar(&o.del, "delete", false, "remove objects from DST that are not in SRC")
	f.IntVar(&o.max, "max-delete", 1000, "remove nothing when it would be more than `N` objects; -1 for no bound")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would be copied and removed; change nothing")
	f.BoolVar(&o.verify, "verify", false, "compare each copy with its source by checksum")
	f.BoolVar(&o.times, "times", false, "give local copies the time of their source, and compare for that time")
	o.add(c)
	jobsFlag(c, &o.jobs)
	c.ValidArgsFunction = a.completeURLs
	return a.command(c, 2, func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) })
}

func (o *syncOptions) run(ctx context.Context, args []string) error {
	popts, err := o.check(args)
	if err != nil {
		return err
	}
	plan, err := bulk.PlanSync(ctx, o.app.Mux, args[0], args[1], popts)
	if err != nil {
		return err
	}
	t := o.app.track("synced", true)
	var would int64
	event := t.event
	if o.dryRun {
		event = func(ev bulk.Event) {
			if ev.Status == bulk.Skipped && ev.Reason == "dry run" {
				would++
				_ = o.app.showSync(ev) // a closed pipe ends the command below
				return
			}
			t.event(ev)
		}
	}
	sum, err := bulk.Sync(ctx, plan, &bulk.Options{
		Jobs: o.jobs, Verify: o.verify, Times: o.times, Event: event, Progress: &t.prog, KeepErrors: firstErrors,
	})
	if fault.KindOf(err) == fault.Refused {
		o.app.hint("--max-delete N allows more, --dry-run shows them")
	}
	if !o.dryRun || err != nil {
		return t.finish("sync", sum, err)
	}
	t.end()
	return o.app.dryRun("sync", would, 0)
}

// check reads the flags.
func (o *syncOptions) check(args []string) (*bulk.SyncOptions, error) {
	if len(args) != 2 {
		return nil, &usageError{msg: fmt.Sprintf("sync: 2 arguments are needed, not %d", len(args)), hint: "leat sync -h shows the usage"}
	}
	if err := checkJobs(o.jobs); err != nil {
		return nil, err
	}
	mode, ok := compareModes[o.compare]
	if !ok {
		return nil, &usageError{msg: fmt.Sprintf("--compare %q: not time, size, checksum or always", o.compare)}
	}
	if o.max == 0 && o.del {
		return nil, &usageError{msg: "--max-delete 0 would refuse everything", hint: "--dry-run shows what would be removed"}
	}
	filter, err := o.filter()
	return &bulk.SyncOptions{Compare: mode, Delete: o.del, MaxDelete: o.max, Filter: filter, DryRun: o.dryRun}, err
}

// showSync prints what a dry run would do to one object: the operation, and
// the names that a run would tell.
func (a *App) showSync(ev bulk.Event) error {
	if a.json {
		return a.printJSON(newEventJSON(ev))
	}
	between := "\t"
	if a.OutTerm {
		between = " "
	}
	text := ev.Op + between + a.visible(ev.Src.URL())
	if dst := ev.Dst.URL(); dst != "" {
		text += between + a.visible(dst)
	}
	return a.record([]byte(text + "\n"))
}
