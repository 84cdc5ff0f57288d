package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 15, "measurements of each tool")
	slice := flag.Duration("slice", 50*time.Millisecond, "least duration of one")
	only := flag.String("only", "", "workloads whose name contains this")
	flag.Parse()
	fmt.Printf("%s, %d processors, GOMAXPROCS=%d, %s\n", runtime.Version(), runtime.NumCPU(), runtime.GOMAXPROCS(0), time.Now().Format("2006-01-02"))
	for _, w := range workloads {
		if !strings.Contains(w.name, *only) {
			continue
		}
		if err := compare(w, *rounds, *slice); err != nil {
			fmt.Fprintln(os.Stderr, "task:", err)
			os.Exit(1)
		}
	}
}

// A sample is one measurement, per task.
type sample struct{ wall, cpu, allocs float64 }

// compare runs a workload with all tools and prints a table.
func compare(w workload, rounds int, slice time.Duration) error {
	samples := make([][]sample, len(tools))
	for range rounds {
		for i := range tools {
			s, err := measure(w, &tools[i], slice)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", w.name, tools[i].name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	wall := func(s sample) float64 { return s.wall }
	ref := 0.0
	for i, t := range tools {
		if t.name == "errgroup" {
			ref = median(samples[i], wall)
		}
	}
	fmt.Printf("\n%s: ns per task\n\n| | median | best | processor | allocations | faster than errgroup |\n|---|---|---|---|---|---|\n", w.name)
	for i, t := range tools {
		m := median(samples[i], wall)
		best := slices.MinFunc(samples[i], func(a, b sample) int { return cmp.Compare(a.wall, b.wall) }).wall
		cpu := median(samples[i], func(s sample) float64 { return s.cpu })
		allocs := median(samples[i], func(s sample) float64 { return s.allocs })
		fmt.Printf("| %s | %.0f | %.0f | %.0f | %.2f | %.1fx |\n", t.name, m, best, cpu, allocs, ref/m)
	}
	return nil
}

func median(list []sample, of func(sample) float64) float64 {
	var v []float64
	for _, s := range list {
		v = append(v, of(s))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// measure runs the workload for at least the slice.
func measure(w workload, t *tool, slice time.Duration) (s sample, err error) {
	err = within(t, func(ctx context.Context) error {
		run := w.prepare(ctx, t)
		if err := run(); err != nil { // warms up
			return err
		}
		runtime.GC() // that of the tool before
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		cpu, start, n := processor(), time.Now(), 0
		for time.Since(start) < slice {
			if err := run(); err != nil {
				return err
			}
			n += w.tasks
		}
		took := time.Since(start)
		cpu = processor() - cpu
		runtime.ReadMemStats(&after)
		s = sample{
			wall:   float64(took.Nanoseconds()) / float64(n),
			cpu:    float64(cpu.Nanoseconds()) / float64(n),
			allocs: float64(after.Mallocs-before.Mallocs) / float64(n),
		}
		return nil
	})
	return s, err
}

// processor returns the time that the process has used on all processors.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
