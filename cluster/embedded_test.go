package cluster_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/cluster"
	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend"
)

func TestMain(m *testing.M) {
	if runHelper() {
		return
	}
	goleak.VerifyTestMain(m)
}

// newMux returns a mux over all back ends.
func newMux(t testing.TB) *fsys.Mux {
	t.Helper()
	mux := backend.Mux(nil)
	t.Cleanup(func() { mux.Close() })
	return mux
}

// fill stores n objects "o00000" and so on, with "line" repeated index+1
// times, and returns a pattern that matches them.
func fill(t testing.TB, mux *fsys.Mux, n int) string {
	t.Helper()
	root := "mem://" + strings.ReplaceAll(t.Name(), "/", "-")
	fs, _, err := mux.Resolve(t.Context(), root+"/x")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := fs.WriteFile(t.Context(), fmt.Sprintf("o%05d", i), []byte(strings.Repeat("line\n", i%10+1))); err != nil {
			t.Fatal(err)
		}
	}
	return root + "/*"
}

// start starts a cluster that ends with the test.
func start(t testing.TB, opts cluster.Options) *cluster.Cluster {
	t.Helper()
	if opts.Mux == nil {
		opts.Mux = newMux(t)
	}
	c, err := cluster.Start(t.Context(), &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func client(t testing.TB, c *cluster.Cluster) *cluster.Client {
	t.Helper()
	cl, err := c.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// collect takes all results and the summary.
func collect(t testing.TB, j *cluster.Job) (map[uint64]cluster.Result, cluster.Summary, error) {
	t.Helper()
	all := map[uint64]cluster.Result{}
	for r, err := range j.Results() {
		if err != nil {
			break // Wait returns it
		}
		if _, twice := all[r.Index]; twice {
			t.Errorf("input %d came twice", r.Index)
		}
		all[r.Index] = r
	}
	s, err := j.Wait(context.Background())
	return all, s, err
}

func TestMapFunction(t *testing.T) {
	mux := newMux(t)
	pattern := fill(t, mux, 500)
	cl := client(t, start(t, cluster.Options{Workers: 2, Mux: mux}))
	j, err := cl.Map(t.Context(), &work.Spec{Inputs: []string{pattern}, Func: "lines"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, s, err := collect(t, j)
	if err != nil || s.Listed != 500 || s.OK != 500 || s.Failed != 0 || len(all) != 500 {
		t.Fatalf("summary %+v, %d results, error %v", s, len(all), err)
	}
	for i, r := range all {
		if want := strconv.Itoa(int(i)%10 + 1); strings.TrimSpace(string(r.Value)) != want {
			t.Fatalf("result %d of %s = %q, want %s", i, r.URL, r.Value, want)
		}
		if want := strings.TrimSuffix(pattern, "*") + fmt.Sprintf("o%05d", i); r.URL != want {
			t.Fatalf("result %d is of %q, want %q", i, r.URL, want)
		}
	}
}

func TestMapReduce(t *testing.T) {
	mux := newMux(t)
	pattern := fill(t, mux, 1000)
	cl := client(t, start(t, cluster.Options{Workers: 3, Mux: mux}))
	j, err := cl.Map(t.Context(), &work.Spec{Inputs: []string{pattern}, Func: "lines", Reduce: "sum"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := j.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Result.Close()
	got, err := io.ReadAll(s.Result)
	if err != nil || strings.TrimSpace(string(got)) != "5500" || s.OK != 1000 {
		t.Errorf("result %q, %+v, %v; want 5500", got, s, err)
	}
}

func TestReduceOfNothing(t *testing.T) {
	mux := newMux(t)
	fill(t, mux, 1)
	cl := client(t, start(t, cluster.Options{Workers: 1, Mux: mux}))
	j, err := cl.Map(t.Context(), &work.Spec{Inputs: []string{"mem://" + t.Name() + "/none*"}, Func: "lines", Reduce: "sum"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := j.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(s.Result)
	want, _ := work.EmptyResult(&work.Spec{Reduce: "sum"})
	if string(got) != string(want) || s.Listed != 0 {
		t.Errorf("result %q of %+v, want %q", got, s, want)
	}
}

func TestCommandFailuresAndRetries(t *testing.T) {
	mux := newMux(t)
	pattern := fill(t, mux, 40)
	cl := client(t, start(t, cluster.Options{Workers: 2, Mux: mux}))
	spec := &work.Spec{Inputs: []string{pattern}, Command: []string{"sh", "-c", `case {name} in *5) echo bad {name} >&2; exit 7;; esac; wc -l`}}
	j, err := cl.Map(t.Context(), spec, &cluster.MapOptions{Retries: 2})
	if err != nil {
		t.Fatal(err)
	}
	all, s, err := collect(t, j)
	if err != nil || s.OK != 36 || s.Failed != 4 || s.Retried != 8 {
		t.Fatalf("summary %+v, error %v; want 36 ok, 4 failed, 8 retried", s, err)
	}
	for i, r := range all {
		if bad := i%10 == 5; bad != (r.Problem != nil) {
			t.Errorf("input %d: problem %+v", i, r.Problem)
		} else if bad && (r.Problem.Exit != 7 || !strings.Contains(string(r.Problem.Stderr), "bad o0")) {
			t.Errorf("input %d: %+v", i, r.Problem)
		}
	}
}

func TestMaxErrors(t *testing.T) {
	mux := newMux(t)
	pattern := fill(t, mux, 200)
	cl := client(t, start(t, cluster.Options{Workers: 2, Mux: mux}))
	j, err := cl.Map(t.Context(), &work.Spec{Inputs: []string{pattern}, Command: []string{"false"}}, &cluster.MapOptions{MaxErrors: 3})
	if err != nil {
		t.Fatal(err)
	}
	s, err := j.Wait(t.Context())
	if fault.KindOf(err) != fault.UserError || s.Failed < 3 || s.Failed == 200 {
		t.Errorf("summary %+v, error %v", s, err)
	}
}

func TestListingErrorEndsTheJob(t *testing.T) {
	cl := client(t, start(t, cluster.Options{Workers: 1}))
	j, err := cl.Map(t.Context(), &work.Spec{Inputs: []string{"/does/not/exist/*"}, Func: "lines"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Wait(t.Context()); fault.KindOf(err) != fault.NotExist {
		t.Errorf("error %v, want kind NotExist", err)
	}
}

func TestCancelStopsCommands(t *testing.T) {
	mux := newMux(t)
	pattern := fill(t, mux, 100)
	cl := client(t, start(t, cluster.Options{Workers: 2, Mux: mux}))
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	j, err := cl.Map(ctx, &work.Spec{Inputs: []string{pattern}, Command: []string{"sh", "-c", "echo begun >" + fifo + "; sleep 1000"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(fifo); err != nil { // until a command has begun
		t.Fatal(err)
	}
	cancel()
	for _, err := range j.Results() {
		if fault.KindOf(err) != fault.Canceled {
			t.Errorf("Results gave %v, want kind Canceled", err)
		}
	}
	if _, err := j.Wait(t.Context()); fault.KindOf(err) != fault.Canceled {
		t.Errorf("Wait = %v, want kind Canceled", err)
	}
	if left := processes(t, fifo); len(left) > 0 {
		t.Errorf("processes left: %q", left)
	}
}

// processes returns the command lines of processes that contain text.
func processes(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		t.Skip("no /proc")
	}
	var out []string
	for _, f := range files {
		if line, err := os.ReadFile(f); err == nil && strings.Contains(string(line), text) {
			out = append(out, string(line))
		}
	}
	return out
}

func TestLargeValuesAreFetched(t *testing.T) {
	mux := newMux(t)
	fs, _, err := mux.Resolve(t.Context(), "mem://"+t.Name()+"/x")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if _, err := fs.WriteFile(t.Context(), fmt.Sprintf("k%02d", i), []byte(strings.Repeat(string(rune('a'+i)), 100_000))); err != nil {
			t.Fatal(err)
		}
	}
	cl := client(t, start(t, cluster.Options{Workers: 2, Mux: mux}))
	j, err := cl.Map(t.Context(), &work.Spec{Inputs: []string{"mem://" + t.Name() + "/*"}, Command: []string{"cat"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, s, err := collect(t, j)
	if err != nil || s.OK != 20 {
		t.Fatalf("summary %+v, error %v", s, err)
	}
	for i, r := range all {
		if string(r.Value) != strings.Repeat(string(rune('a'+i)), 100_000) {
			t.Errorf("result %d has %d bytes", i, len(r.Value))
		}
	}
}

func TestNamesAreBytes(t *testing.T) {
	mux := newMux(t)
	fs, _, err := mux.Resolve(t.Context(), "mem://"+t.Name()+"/x")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{" a b", "new\nline", "\xff\xfe", "#?%41", strings.Repeat("k", 1024)}
	for _, n := range names {
		if _, err := fs.WriteFile(t.Context(), n, []byte("x\n")); err != nil {
			t.Fatal(err)
		}
	}
	cl := client(t, start(t, cluster.Options{Workers: 1, Mux: mux}))
	j, err := cl.Map(t.Context(), &work.Spec{Inputs: []string{"mem://" + t.Name() + "/*"}, Func: "lines"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, _, err := collect(t, j)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		got = append(got, strings.TrimPrefix(r.URL, "mem://"+t.Name()+"/"))
	}
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("names %q, want %q", got, names)
	}
}
