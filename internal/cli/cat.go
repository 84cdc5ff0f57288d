package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/leat-dev/leat/bulk"
)

type catOptions struct {
	app  *App
	part string
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
  leat cat -j 1000 'https://host/parts/*' > whole
  leat cat --range :100 's3://bucket/*.csv'    the first 100 bytes of each
  leat cat --range -1k: s3://bucket/log        the last 1,024`,
		Long: `Objects come in the order of the arguments, and in byte order where a pattern
matches several. They are fetched ahead, -j at once, in 64 MiB of memory at most.
An object that cannot be read is left out and named on standard error (exit code 3);
one that breaks off in the middle ends the output there.

--range FROM:TO prints the bytes from FROM up to, not including, TO of each object;
either may be left out. A negative FROM counts from the end, and then TO is left out.
Only the bytes that are printed are fetched, where the store can.`,
	}
	c.Flags().StringVar(&o.part, "range", "", "only the bytes `FROM:TO` of each object; -N: for the last N")
	jobsFlag(c, &o.jobs)
	rawFlag(c, &o.raw)
	c.ValidArgsFunction = a.completeURLs
	return a.command(c, 1, func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) })
}

func (o *catOptions) run(ctx context.Context, args []string) error {
	if err := checkJobs(o.jobs); err != nil {
		return err
	}
	off, length, err := parseRange(o.part)
	if err != nil {
		return &usageError{msg: "--range: " + err.Error()}
	}
	t := o.app.track("printed", false)
	src := bulk.Expand(ctx, o.app.Mux, args, o.raw)
	opts := &bulk.Options{Jobs: o.jobs, Event: t.event, Progress: &t.prog, KeepErrors: firstErrors}
	var sum bulk.Summary
	if off == 0 && length == 0 {
		sum, err = bulk.Cat(ctx, o.app, src, opts)
	} else {
		sum, err = bulk.CatRange(ctx, o.app, src, off, length, opts)
	}
	return t.finish("cat", sum, err)
}

// parseRange reads FROM:TO. A length of 0 means to the end; one of no bytes
// is an error, since it is a mistake more often than meant.
func parseRange(text string) (off, length int64, err error) {
	if text == "" {
		return 0, 0, nil
	}
	from, to, ok := strings.Cut(text, ":")
	if !ok {
		return 0, 0, fmt.Errorf("%q has no colon; write FROM:TO, FROM: for all behind, or -N: for the last N bytes", text)
	}
	bare, last := strings.CutPrefix(from, "-")
	if bare != "" || last {
		if off, err = parseSize(bare); err != nil {
			return 0, 0, err
		}
	}
	if to == "" {
		if last && off == 0 {
			return 0, 0, fmt.Errorf("%q has no bytes", text)
		}
		if last {
			off = -off
		}
		return off, 0, nil
	}
	end, err := parseSize(to)
	switch {
	case err != nil:
		return 0, 0, err
	case last:
		return 0, 0, fmt.Errorf("%q counts from both ends; write -N: for the last N bytes", text)
	case end <= off:
		return 0, 0, fmt.Errorf("%q has no bytes", text)
	}
	return off, end - off, nil
}
