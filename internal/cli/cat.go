package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/bulk"
)

type catOptions struct {
	app  *App
	jobs int
	raw  bool
}

func newCat(a *App) *cobra.Command {
	o := &catOptions{app: a}
	c := &cobra.Command{
		Use:   "cat [-j N] URL...",
		Short: "write objects to standard output, one after the other",
		Example: `  leat cat s3://bucket/logs/a.txt
  leat cat 's3://bucket/logs/**/*.txt' | grep -c error
  leat cat -j 1000 'https://host/parts/*' > whole`,
		Long: `Objects come in the order of the arguments, and in byte order where a pattern
matches several. They are fetched ahead, -j at once, in 64 MiB of memory at most.
An object that cannot be read is left out and named on standard error (exit code 3);
one that breaks off in the middle ends the output there.`,
	}
	jobsFlag(c, &o.jobs)
	rawFlag(c, &o.raw)
	c.ValidArgsFunction = a.completeURLs
	return a.command(c, 1, func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) })
}

func (o *catOptions) run(ctx context.Context, args []string) error {
	if err := checkJobs(o.jobs); err != nil {
		return err
	}
	t := o.app.track("printed", false)
	sum, err := bulk.Cat(ctx, o.app, bulk.Expand(ctx, o.app.Mux, args, o.raw), &bulk.Options{
		Jobs: o.jobs, Event: t.event, Progress: &t.prog, KeepErrors: firstErrors,
	})
	return t.finish("cat", sum, err)
}
