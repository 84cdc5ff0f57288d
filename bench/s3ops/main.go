package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	op                    string
	objects, size, rounds int
	delay                 time.Duration
	jobs                  []int
	tools                 []string
	raw                   rawOptions
}

func main() {
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, "s3ops:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.raw.endpoint != "" {
		o.raw.op, o.raw.size = o.op, o.size
		err = runRaw(ctx, o.raw, os.Stdout)
	} else {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "s3ops:", err)
		os.Exit(1)
	}
}

// parse reads the flags.
func parse() (options, error) {
	var o options
	var jobs, tools string
	flag.StringVar(&o.op, "op", "get", "what is done to the objects: get, put, delete, copy or list")
	flag.IntVar(&o.objects, "objects", 10_000, "number of objects")
	flag.IntVar(&o.size, "size", 4096, "bytes of each object")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; the median counts")
	flag.DurationVar(&o.delay, "delay", 20*time.Millisecond, "latency added to each request")
	flag.StringVar(&jobs, "jobs", "64,128,256,512", "concurrencies to try")
	flag.StringVar(&tools, "tools", "", "tools to compare; default is all that can do it, but s5cmd-cat, which reads one object after the other")
	flag.StringVar(&o.raw.endpoint, "raw-endpoint", "", "used by the program itself: do it with plain HTTP to this URL and exit")
	flag.IntVar(&o.raw.jobs, "raw-jobs", 1, "used by the program itself")
	flag.Parse()
	o.tools = strings.Split(tools, ",")
	if tools == "" {
		o.tools = defaultTools(o.op)
	}
	if len(o.tools) == 0 {
		return o, fmt.Errorf("-op %q: want get, put, delete, copy or list", o.op)
	}
	o.raw.objects = o.objects
	for _, s := range strings.Split(jobs, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return o, fmt.Errorf("-jobs %q: want numbers above 0, with commas between", jobs)
		}
		o.jobs = append(o.jobs, n)
	}
	if o.objects < 1 || o.size < 0 || o.rounds < 1 || o.delay < 0 || flag.NArg() > 0 {
		return o, fmt.Errorf("want at least one object and one round, and no arguments")
	}
	return o, nil
}

// run does the whole comparison.
func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "leat-s3ops-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := prepare(ctx, o, dir)
	if err != nil {
		return err
	}
	defer b.stop()
	fmt.Fprintln(os.Stderr, "warming up")
	warm := variant{tool: o.tools[0], jobs: o.jobs[0]}
	if _, err := b.measure(ctx, o, warm); err != nil {
		return err
	}
	all := variants(o)
	runs := make([][]sample, len(all))
	for round := range o.rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, o.rounds)
		for i, v := range all {
			s, err := b.measure(ctx, o, v)
			if err != nil {
				return fmt.Errorf("%s, %d in flight: %w", v.tool, v.jobs, err)
			}
			runs[i] = append(runs[i], s)
		}
	}
	header(os.Stdout, o)
	return table(os.Stdout, o, all, runs)
}

// header says what was measured, with what.
func header(w io.Writer, o options) {
	fmt.Fprintf(w, "%s of %d objects of %d bytes, %v added to each request, %d rounds; %d CPUs, %s/%s, %s\n\n",
		o.op, o.objects, o.size, o.delay, o.rounds, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// build compiles a package into dir and returns the program. A modfile is
// that of a tool.
func build(ctx context.Context, dir, modfile, pkg string) (string, error) {
	name := strings.TrimSuffix(pkg, "/v2")
	bin := filepath.Join(dir, filepath.Base(name))
	args := []string{"build", "-o", bin}
	if modfile != "" {
		args = append(args, "-modfile="+modfile)
	}
	fmt.Fprintln(os.Stderr, "building", name)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go build %s: %w", pkg, err)
	}
	return bin, nil
}
