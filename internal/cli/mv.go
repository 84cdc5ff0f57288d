package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/bulk"
)

type mvOptions struct {
	app *App
	copyFlags
}

func newMv(a *App) *cobra.Command {
	o := &mvOptions{app: a}
	c := &cobra.Command{
		Use:   "mv [-R] [-n] [FLAG...] SRC... DST",
		Short: "move objects",
		Example: `  leat mv a.txt b.txt
  leat mv 's3://bucket/in/*.gz' s3://bucket/done/
  leat mv -R results/ s3://bucket/results
  leat mv --dry-run -R old s3://bucket/`,
		Long: `Where an object lands follows the rules of cp: see leat cp --help. A local file is
renamed where that can be done. Everything else is copied, and the source removed
once its copy is complete, passes --verify, and the source is still what was listed;
one that was changed meanwhile stays, and is told as failed. Local directories that
were moved whole are removed when they are empty. A link is moved as a link.
A move that was interrupted is resumed by running it again.

` + filterText,
	}
	o.add(c, "moved")
	c.ValidArgsFunction = a.completeURLs
	return a.command(c, 2, func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) })
}

func (o *mvOptions) run(ctx context.Context, args []string) error {
	popts, opts, err := o.options()
	if err != nil {
		return err
	}
	last := len(args) - 1
	plan, err := bulk.PlanMove(ctx, o.app.Mux, args[:last], args[last], popts)
	if err != nil {
		return err
	}
	if o.dryRun {
		return o.app.showSteps("move", plan.Steps)
	}
	t := o.app.track("moved", true)
	opts.Event, opts.Progress = t.event, &t.prog
	sum, err := bulk.Move(ctx, plan, opts)
	return t.finish("move", sum, err)
}
