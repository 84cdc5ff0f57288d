package tracefs_test

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
	"github.com/leat-dev/leat/fsys/layer/tracefs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	var m tracefs.Metrics
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		t.Cleanup(func() {
			for _, s := range m.Snapshot() {
				if s.Active != 0 {
					t.Errorf("%d of %s are still under way", s.Active, s.Op)
				}
			}
		})
		return drivertest.Harness{FS: tracefs.New(memfs.New(), &tracefs.Options{Metrics: &m})}
	})
}

// stats returns the numbers of one operation.
func stats(m *tracefs.Metrics, op string) tracefs.Stats {
	all := m.Snapshot()
	return all[slices.IndexFunc(all, func(s tracefs.Stats) bool { return s.Op == op })]
}

func TestNumbersAndEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, rules := faultfs.New(memfs.New(), &faultfs.Rule{Op: "stat", Delay: 30 * time.Millisecond})
		var m tracefs.Metrics
		var mu sync.Mutex
		var events []tracefs.Event
		f := fsys.New(tracefs.New(slow, &tracefs.Options{Metrics: &m, OnEvent: func(e tracefs.Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}}), "mem://t")
		for _, p := range []string{"d/a", "d/b"} {
			if _, err := f.WriteFile(t.Context(), p, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = f.Stat(t.Context(), "d/a")
		_, _ = f.Stat(t.Context(), "absent")
		for range f.List(t.Context(), "d", nil) {
			time.Sleep(time.Hour) // in the bubble of synctest; the time of the caller
		}
		if _, err := f.ReadRange(t.Context(), "d/a", 10, 300); err != nil {
			t.Error(err)
		}
		rules.Add(&faultfs.Rule{Op: "read", N: 100, Err: fault.New("", "", fault.Unavailable, errors.New("down"))})
		if _, err := f.ReadFile(t.Context(), "d/b"); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("read: %v", err)
		}
		if _, err := f.Copy(t.Context(), "d/a", "c"); err != nil {
			t.Error(err)
		}
		f.RemoveBatch(t.Context(), []string{"c", "d/a", "d/b"})
		w, err := f.Create(t.Context(), "x", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("abc"))
		w.Abort()
		w.Abort()

		for op, want := range map[string][4]int64{ // calls, failed, bytes, entries
			"stat": {2, 1, 0, 0}, "list": {1, 0, 0, 2}, "open": {2, 0, 0, 0}, "read": {2, 1, 400, 0}, "copy": {1, 0, 1000, 0},
			"create": {3, 0, 0, 0}, "write": {3, 0, 2003, 0}, "commit": {2, 0, 0, 0}, "abort": {1, 0, 0, 0}, "remove": {1, 0, 0, 3},
		} {
			s := stats(&m, op)
			var failed int64
			for _, n := range s.Failed {
				failed += n
			}
			if got := [4]int64{s.Calls, failed, s.Bytes, s.Entries}; got != want || s.Active != 0 {
				t.Errorf("%s: calls, failed, bytes, entries = %d (%d under way), want %d", op, got, s.Active, want)
			}
			if n := int64(len(slices.DeleteFunc(slices.Clone(events), func(e tracefs.Event) bool { return e.Op != op }))); n != want[0] {
				t.Errorf("%s: %d events, want %d", op, n, want[0])
			}
		}
		s := stats(&m, "stat")
		if s.Took != 60*time.Millisecond || s.Failed[fault.NotExist] != 1 || s.Buckets[slices.Index(tracefs.Bounds(), 50*time.Millisecond)] != 2 {
			t.Errorf("stat: %+v, want 2 of 30 ms and one absent", s)
		}
		if took := stats(&m, "list").Took; took != 0 {
			t.Errorf("list took %v, which is the time of the caller", took)
		}
		if e := events[slices.IndexFunc(events, func(e tracefs.Event) bool { return e.Err != nil })]; e.Op != "stat" || e.Path != "absent" || e.Took != 30*time.Millisecond {
			t.Errorf("event %+v", e)
		}
	})
}

func TestActive(t *testing.T) {
	var m tracefs.Metrics
	drv := tracefs.New(memfs.New(), &tracefs.Options{Metrics: &m})
	w, err := drv.Create(t.Context(), "a", driver.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := stats(&m, "write").Active; n != 1 {
		t.Errorf("%d uploads under way, want 1", n)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := drv.Open(t.Context(), "a", driver.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := stats(&m, "read").Active; n != 1 {
		t.Errorf("%d bodies under way, want 1", n)
	}
	r.Close()
	r.Close()
	if s := stats(&m, "read"); s.Active != 0 || s.Calls != 1 {
		t.Errorf("after closing twice: %+v", s)
	}
}

// sample is a line of the text format.
var sample = regexp.MustCompile(`^[a-z_]+\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\} [0-9.e+-]+$`)

func TestPrometheus(t *testing.T) {
	var a, b tracefs.Metrics
	for i, m := range []*tracefs.Metrics{&a, &b} {
		drv := tracefs.New(memfs.New(), &tracefs.Options{Metrics: m})
		for range i + 1 {
			_, _ = drv.Stat(t.Context(), "absent")
		}
	}
	var text strings.Builder
	if err := tracefs.WritePrometheus(&text, map[string]*tracefs.Metrics{`store="a"`: &a, `store="b"`: &b}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(text.String()) {
		line = strings.TrimSuffix(line, "\n")
		if seen[line] {
			t.Errorf("%q twice", line)
		}
		if seen[line] = true; !strings.HasPrefix(line, "# ") && !sample.MatchString(line) {
			t.Errorf("%q is no sample", line)
		}
	}
	for _, want := range []string{
		"# TYPE leat_fs_calls_total counter", "# TYPE leat_fs_seconds histogram",
		`leat_fs_calls_total{store="a",op="stat"} 1`, `leat_fs_calls_total{store="b",op="stat"} 2`,
		`leat_fs_failures_total{store="b",op="stat",kind="does not exist"} 2`,
		`leat_fs_seconds_bucket{store="b",op="stat",le="+Inf"} 2`, `leat_fs_seconds_count{store="b",op="stat"} 2`,
	} {
		if !seen[want] {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Contains(text.String(), `op="copy"`) {
		t.Error("an operation that was never used")
	}
	text.Reset()
	if err := a.WritePrometheus(&text, ""); err != nil || !strings.Contains(text.String(), `leat_fs_calls_total{op="stat"} 1`) {
		t.Errorf("without labels: %v\n%s", err, text.String())
	}
	if err := a.WritePrometheus(broken{}, ""); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a broken connection: %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
