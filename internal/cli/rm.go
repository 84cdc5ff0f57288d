package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
)

type rmOptions struct {
	app *App
	filterFlags
	recursive bool
	dryRun    bool
	raw       bool
	max       int
	jobs      int
}

func newRm(a *App) *cobra.Command {
	o := &rmOptions{app: a}
	c := &cobra.Command{
		Use:   "rm [-R] [--dry-run] [--max-delete N] URL...",
		Short: "remove objects",
		Example: `  leat rm s3://bucket/old.txt
  leat rm --dry-run 's3://bucket/tmp/**'
  leat rm -R --max-delete 50000 s3://bucket/tmp`,
		Long: `Everything is listed before anything is removed: a listing that fails, a source that
does not exist (exit code 4) or more than --max-delete entries (exit code 5) remove
nothing. A link is removed itself, not what it points to. Where --include and the like
leave something out, directories stay.

` + filterText,
	}
	f := c.Flags()
	f.BoolVarP(&o.recursive, "recursive", "R", false, "take directories with all that is in them")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would be removed; remove nothing")
	f.IntVar(&o.max, "max-delete", 1000, "refuse to remove more than `N` entries; -1 for no bound")
	o.add(c)
	jobsFlag(c, &o.jobs)
	rawFlag(c, &o.raw)
	c.ValidArgsFunction = a.completeURLs
	return a.command(c, 1, func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) })
}

func (o *rmOptions) run(ctx context.Context, args []string) error {
	if err := checkJobs(o.jobs); err != nil {
		return err
	}
	if o.max == 0 {
		return &usageError{msg: "--max-delete 0 would refuse everything", hint: "--dry-run shows what would be removed"}
	}
	filter, err := o.filter()
	if err != nil {
		return err
	}
	plan, err := bulk.PlanRemove(ctx, o.app.Mux, args, &bulk.PlanOptions{
		Recursive: o.recursive, Raw: o.raw, MaxRemove: o.max, Jobs: o.jobs, Filter: filter,
	})
	if err != nil {
		if fault.KindOf(err) == fault.Refused {
			o.app.say(err.Error())
			o.app.hint("--max-delete N allows more, --dry-run shows them")
			return &quietError{err}
		}
		return err
	}
	if o.dryRun {
		return o.show(plan)
	}
	t := o.app.track("removed", true)
	sum, err := bulk.Remove(ctx, plan, &bulk.Options{
		Jobs: o.jobs, Event: t.event, Progress: &t.prog, KeepErrors: firstErrors,
	})
	return t.finish("remove", sum, err)
}

// show prints the plan instead of running it.
func (o *rmOptions) show(plan *bulk.RemovePlan) error {
	var bytes int64
	for _, obj := range plan.Objects {
		bytes += max(obj.Entry.Size, 0)
		ev := bulk.Event{Op: "remove", Src: obj.Ref, Status: bulk.Skipped, Reason: "dry run"}
		if err := o.app.showStep(ev); err != nil {
			return err
		}
	}
	for _, dir := range plan.Dirs {
		ev := bulk.Event{Op: "remove", Src: dir, Status: bulk.Skipped, Reason: "dry run"}
		if err := o.app.showStep(ev); err != nil {
			return err
		}
	}
	return o.app.dryRun("remove", int64(plan.Len()), bytes)
}
