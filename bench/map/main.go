package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/leat-dev/leat/cluster"
	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend"
)

// options are the flags.
type options struct {
	inputs, workers, rounds int
}

// A mode is what happens to the results.
type mode struct {
	name   string
	reduce string
}

var modes = []mode{
	{"each result to the client", ""},
	{"folded by the workers (sum)", "sum"},
}

func main() {
	var o options
	flag.IntVar(&o.inputs, "inputs", 1_000_000, "number of inputs")
	flag.IntVar(&o.workers, "workers", 2, "workers, of one slot each")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; the median counts")
	flag.Parse()
	if o.inputs < 1 || o.workers < 1 || o.rounds < 1 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "map: want numbers above 0, and no arguments")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "map:", err)
		os.Exit(1)
	}
}

// run does all rounds, the modes in turns, and prints the table.
func run(ctx context.Context, o options, w io.Writer) error {
	mux := backend.Mux(nil)
	defer mux.Close()
	if err := fill(ctx, mux, o.inputs); err != nil {
		return err
	}
	times := make([][]time.Duration, len(modes))
	for range o.rounds {
		for i, m := range modes {
			took, err := measure(ctx, o, mux, m)
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			times[i] = append(times[i], took)
		}
	}
	fmt.Fprintf(w, "%d no-op inputs, %d workers in the process, %d rounds; %d CPUs, %s/%s, %s\n\n",
		o.inputs, o.workers, o.rounds, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Fprintln(w, "| results | inputs/s, median [min-max] | s |\n|---|---|---|")
	for i, m := range modes {
		slices.Sort(times[i])
		fastest, median, slowest := times[i][0], times[i][(len(times[i])-1)/2], times[i][len(times[i])-1]
		rate := func(d time.Duration) float64 { return float64(o.inputs) / d.Seconds() }
		fmt.Fprintf(w, "| %s | %.0f [%.0f-%.0f] | %.2f |\n", m.name, rate(median), rate(slowest), rate(fastest), median.Seconds())
	}
	return nil
}

// fill makes the inputs, empty objects in memory.
func fill(ctx context.Context, mux *fsys.Mux, n int) error {
	fs, _, err := mux.Resolve(ctx, "mem://bench/")
	if err != nil {
		return err
	}
	for i := range n {
		if _, err := fs.WriteFile(ctx, fmt.Sprintf("%03d/input-%07d", i/10_000, i), nil); err != nil {
			return err
		}
	}
	return nil
}

// measure starts a cluster, runs the map once and checks the answer.
func measure(ctx context.Context, o options, mux *fsys.Mux, m mode) (time.Duration, error) {
	c, err := cluster.Start(ctx, &cluster.Options{Workers: o.workers, Slots: 1, Mux: mux})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	client, err := c.Client(ctx)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	job, err := client.Map(ctx, &work.Spec{Inputs: []string{"mem://bench/**"}, Func: "noop", Reduce: m.reduce}, nil)
	if err != nil {
		return 0, err
	}
	seen := make([]bool, o.inputs)
	count := 0
	for r, err := range job.Results() {
		switch {
		case err != nil:
			return 0, err
		case r.Problem != nil:
			return 0, fmt.Errorf("%s: %s", r.URL, r.Problem.Text)
		case r.Index >= uint64(o.inputs) || seen[r.Index]:
			return 0, fmt.Errorf("%s: input %d came twice or never was", r.URL, r.Index)
		}
		seen[r.Index] = true
		count++
	}
	summary, err := job.Wait(ctx)
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	if summary.Result != nil {
		defer summary.Result.Close()
	}
	if want := uint64(o.inputs); summary.OK != want || m.reduce == "" && count != o.inputs {
		return 0, fmt.Errorf("%d of %d inputs done, %d results", summary.OK, want, count)
	}
	return took, nil
}
