package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// limit is what latency alone dictates for one concurrency.
func limit(o options, jobs int) time.Duration {
	switch o.op {
	case "list": // pages of 1,000, each known by the one before it
		return o.delay * time.Duration((o.objects+999)/1000)
	case "delete": // batches of 1,000, and the pages that name them
		return o.delay * time.Duration((o.objects+999)/1000)
	}
	return o.delay * time.Duration((o.objects+jobs-1)/jobs)
}

// median returns the middle of the runs by wall time; of an even number the
// lower.
func median(runs []sample) sample {
	sorted := slices.SortedFunc(slices.Values(runs), func(a, b sample) int { return cmp.Compare(a.wall, b.wall) })
	return sorted[(len(sorted)-1)/2]
}

// table prints one row for each variant, and the best of each tool.
func table(w io.Writer, o options, all []variant, runs [][]sample) error {
	fmt.Fprintln(w, "| tool | in flight | wall s, median [min-max] | limit s | wall/limit | CPU s | RSS MB |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
	best := map[string]time.Duration{}
	for i, v := range all {
		m := median(runs[i])
		lo, hi := spread(runs[i])
		l := limit(o, v.jobs)
		ratio := "–"
		if l > 0 {
			ratio = fmt.Sprintf("%.2f", m.wall.Seconds()/l.Seconds())
		}
		fmt.Fprintf(w, "| %s | %d | %.2f [%.2f-%.2f] | %.2f | %s | %.2f | %d |\n",
			v.tool, v.jobs, m.wall.Seconds(), lo.Seconds(), hi.Seconds(), l.Seconds(), ratio, m.cpu.Seconds(), m.rssMB)
		if b, ok := best[v.tool]; !ok || m.wall < b {
			best[v.tool] = m.wall
		}
	}
	_, err := fmt.Fprintf(w, "\nBest median of each: %s.\n", bests(o, best))
	return err
}

// spread returns the shortest and the longest wall time.
func spread(runs []sample) (lo, hi time.Duration) {
	lo, hi = runs[0].wall, runs[0].wall
	for _, s := range runs {
		lo, hi = min(lo, s.wall), max(hi, s.wall)
	}
	return lo, hi
}

// bests renders the best times, and those of other tools in terms of the first
// that is leat.
func bests(o options, best map[string]time.Duration) string {
	var parts []string
	ours := "leat"
	if i := slices.IndexFunc(o.tools, func(t string) bool { return strings.HasPrefix(t, "leat") }); i >= 0 {
		ours = o.tools[i]
	}
	for _, t := range o.tools {
		s := fmt.Sprintf("%s %.2f s", t, best[t].Seconds())
		if l := best[ours]; l > 0 && t != ours {
			s += fmt.Sprintf(" (%.2f of %s)", best[t].Seconds()/l.Seconds(), ours)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ", ")
}
