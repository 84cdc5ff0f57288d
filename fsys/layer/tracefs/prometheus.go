package tracefs

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// PrometheusType is the content type of what [Metrics.WritePrometheus]
// writes.
const PrometheusType = "text/plain; version=0.0.4; charset=utf-8"

// WritePrometheus writes the numbers of all operations that were used, in the
// text format of Prometheus. labels, which may be empty, are added to each
// series and written as in that format: `store="s3",tier="hot"`.
func (m *Metrics) WritePrometheus(w io.Writer, labels string) error {
	return WritePrometheus(w, map[string]*Metrics{labels: m})
}

// WritePrometheus writes the numbers of several metrics, by the labels that
// tell them apart.
func WritePrometheus(w io.Writer, all map[string]*Metrics) error {
	p := &exposition{w: bufio.NewWriter(w)}
	for _, labels := range slices.Sorted(maps.Keys(all)) {
		for _, s := range all[labels].Snapshot() {
			if s.Calls+s.Active > 0 {
				p.series = append(p.series, series{strings.Trim(labels+`,op="`+s.Op+`"`, ","), s})
			}
		}
	}
	p.each("leat_fs_calls_total", "counter", "Calls that have ended.", func(s *Stats) int64 { return s.Calls })
	p.each("leat_fs_active", "gauge", "Calls under way.", func(s *Stats) int64 { return s.Active })
	p.each("leat_fs_bytes_total", "counter", "Bytes that came or went.", func(s *Stats) int64 { return s.Bytes })
	p.each("leat_fs_entries_total", "counter", "Entries that were listed or removed.", func(s *Stats) int64 { return s.Entries })
	p.head("leat_fs_failures_total", "counter", "Calls that failed, by kind.")
	for _, s := range p.series {
		for _, kind := range slices.Sorted(maps.Keys(s.stats.Failed)) {
			fmt.Fprintf(p.w, "leat_fs_failures_total{%s,kind=%q} %d\n", s.labels, kind.String(), s.stats.Failed[kind])
		}
	}
	p.latencies()
	return p.w.Flush()
}

type series struct {
	labels string
	stats  Stats
}

// exposition is one text being written; its writer keeps the first error.
type exposition struct {
	w      *bufio.Writer
	series []series
}

func (p *exposition) head(name, kind, help string) {
	fmt.Fprintf(p.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p *exposition) each(name, kind, help string, value func(*Stats) int64) {
	p.head(name, kind, help)
	for _, s := range p.series {
		fmt.Fprintf(p.w, "%s{%s} %d\n", name, s.labels, value(&s.stats))
	}
}

// latencies writes the histogram, whose buckets include the smaller ones. The
// count is that of the buckets, so that it agrees with them.
func (p *exposition) latencies() {
	const name = "leat_fs_seconds"
	p.head(name, "histogram", "Time that calls spent in the store.")
	for _, s := range p.series {
		var sum int64
		for i, n := range s.stats.Buckets {
			sum += n
			le := "+Inf"
			if i < len(bounds) {
				le = fmt.Sprint(bounds[i].Seconds())
			}
			fmt.Fprintf(p.w, "%s_bucket{%s,le=%q} %d\n", name, s.labels, le, sum)
		}
		fmt.Fprintf(p.w, "%s_sum{%s} %g\n%s_count{%s} %d\n", name, s.labels, s.stats.Took.Seconds(), name, s.labels, sum)
	}
}
