package work_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/cluster/peer"
	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
	"github.com/leat-dev/leat/sched"
)

func TestMain(m *testing.M) {
	work.Register("panic", func(context.Context, *work.Input) ([]byte, error) { panic("oops") })
	work.Register("fail", func(context.Context, *work.Input) ([]byte, error) { return nil, errors.New("no luck") })
	work.Register("cat", func(ctx context.Context, in *work.Input) ([]byte, error) { return in.Bytes(ctx) })
	work.Register("block", func(ctx context.Context, in *work.Input) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	work.RegisterWith("name", func(ctx context.Context, in *work.Input) ([]byte, error) {
		return []byte(in.Name()), nil
	}, &work.FuncOptions{Lazy: true})
	goleak.VerifyTestMain(m)
}

// A bench has everything that a runner needs, and nothing is left of it when
// the test has ended.
type bench struct {
	*work.Runner
	t     testing.TB
	mux   *fsys.Mux
	mem   *memfs.FS // mem://NAME/
	root  string    // mem://NAME/
	bad   *faultfs.FS
	store *peer.Store
	dir   string // of temporary files
}

func newBench(t testing.TB, opts work.Options) *bench {
	t.Helper()
	name := strings.NewReplacer("/", "-", "#", "-").Replace(t.Name())
	b := &bench{t: t, mem: memfs.Open(name), root: "mem://" + name + "/", dir: t.TempDir()}
	t.Cleanup(func() { memfs.Forget(name) })
	local := localfs.Backend(nil)
	broken := memfs.Backend()
	broken.Split = func(url string, pattern bool) (string, string, error) {
		return "bad://x", strings.TrimPrefix(url, "bad://x/"), nil
	}
	broken.Join = func(root, path string) string { return root + "/" + path }
	drv, bad := faultfs.New(b.mem)
	b.bad = bad
	broken.Open = func(context.Context, string) (driver.FS, error) { return drv, nil }
	b.mux = fsys.NewMux(map[string]fsys.Backend{"": local, "file": local, "mem": memfs.Backend(), "bad": broken})
	var err error
	if b.store, err = peer.NewStore(&peer.StoreOptions{Dir: b.dir}); err != nil {
		t.Fatal(err)
	}
	opts.Mux, opts.Store, opts.TempDir, opts.Session = b.mux, b.store, b.dir, "w1"
	if opts.Peers == nil {
		opts.Peers = peer.NewClient(&peer.ClientOptions{Own: b.store})
	}
	b.Runner = work.NewRunner(opts)
	t.Cleanup(func() {
		b.Runner.Close()
		opts.Peers.Close()
		b.store.Close()
		b.mux.Close()
		if left, _ := os.ReadDir(b.dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	return b
}

// put stores objects and returns their URLs.
func (b *bench) put(objects ...string) []string {
	b.t.Helper()
	var urls []string
	for i := 0; i < len(objects); i += 2 {
		if _, err := fsys.New(b.mem, "mem:").WriteFile(context.Background(), objects[i], []byte(objects[i+1])); err != nil {
			b.t.Fatal(err)
		}
		urls = append(urls, b.root+objects[i])
	}
	return urls
}

// lease makes a lease of urls, numbered from 100 with a gap in the middle.
func (b *bench) lease(spec work.Spec, urls ...string) *sched.Lease {
	b.t.Helper()
	if spec.Inputs == nil {
		spec.Inputs = []string{b.root + "**"}
	}
	data, err := spec.Encode()
	if err != nil {
		b.t.Fatal(err)
	}
	l := &sched.Lease{Job: "j", ID: 7, Spec: data}
	for i, u := range urls {
		n := uint64(100 + i)
		if i >= (len(urls)+1)/2 {
			n += 1000
		}
		l.Set.Add(sched.Range{From: n, N: 1})
		size := int64(-1)
		if fs, path, err := b.mux.Resolve(context.Background(), u); err == nil {
			if e, err := fs.Stat(context.Background(), path); err == nil {
				size = e.Size
			}
		}
		l.Names.Append(u, size)
	}
	return l
}

// A result is all reports of a lease together.
type result struct {
	items   map[string]sched.Item
	failed  map[string]sched.Failure
	ranges  sched.Set
	final   *sched.Done
	reports int
}

func (b *bench) run(ctx context.Context, l *sched.Lease) *result {
	b.t.Helper()
	r := &result{items: map[string]sched.Item{}, failed: map[string]sched.Failure{}}
	var busy atomic.Bool
	b.Run(ctx, l, func(d *sched.Done) {
		if !busy.CompareAndSwap(false, true) {
			b.t.Error("two calls of emit at once")
		}
		defer busy.Store(false)
		r.reports++
		if r.final != nil || d.Job != l.Job || d.Lease != l.ID {
			b.t.Errorf("report after the final one, or of another lease: %+v", d)
		}
		if d.Final {
			r.final = d
		}
		for _, it := range d.Items {
			r.items[string(it.Name)] = it
			r.ranges.Add(it.Range)
		}
		for _, f := range d.Failed {
			r.failed[string(f.Name)] = f
			r.ranges.Add(f.Range)
		}
	})
	if r.final == nil {
		b.t.Fatal("no final report")
	}
	return r
}

// value returns the result of an input, from the report or from the store.
func (b *bench) value(it sched.Item) string {
	b.t.Helper()
	if it.Key == "" {
		return string(it.Value)
	}
	data, err := b.store.Get(it.Key)
	if err != nil || int64(len(data)) != it.Size {
		b.t.Errorf("%s: %d bytes, want %d; %v", it.Key, len(data), it.Size, err)
	}
	return string(data)
}

// ok runs a lease in which all must succeed and returns values by name.
func (b *bench) ok(spec work.Spec, urls ...string) map[string]string {
	b.t.Helper()
	l := b.lease(spec, urls...)
	r := b.run(context.Background(), l)
	for name, f := range r.failed {
		b.t.Errorf("%s: %+v", name, f.Problem)
	}
	if !slices.Equal(r.ranges, l.Set) {
		b.t.Errorf("reported %v, want %v", r.ranges, l.Set)
	}
	values := map[string]string{}
	for name, it := range r.items {
		values[strings.TrimPrefix(name, b.root)] = b.value(it)
	}
	return values
}

func want(t testing.TB, got map[string]string, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if v, ok := got[pairs[i]]; !ok || v != pairs[i+1] {
			t.Errorf("%q: %.200q, want %.200q", pairs[i], v, pairs[i+1])
		}
	}
	if len(got) != len(pairs)/2 {
		t.Errorf("%d results, want %d", len(got), len(pairs)/2)
	}
}

var weird = []string{"a b", "new\nline", "\xff\xfe", "#?%41", strings.Repeat("k", 1000), "d/../x", "d//y", "-rf", "{url}", "$(id)", "q*[a]"}

func TestBuiltins(t *testing.T) {
	b := newBench(t, work.Options{})
	long := strings.Repeat("x\n", 2<<20) // not read ahead
	u := b.put("a", "one two_2 one\nÄrger", "empty", "", "long", long)
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	want(t, b.ok(work.Spec{Func: "bytes"}, u...), "a", "20", "empty", "0", "long", "4194304")
	want(t, b.ok(work.Spec{Func: "lines"}, u...), "a", "1", "empty", "0", "long", "2097152")
	want(t, b.ok(work.Spec{Func: "words"}, u...), "a", "4", "empty", "0", "long", "2097152")
	want(t, b.ok(work.Spec{Func: "sha256"}, u...), "a", sum("one two_2 one\nÄrger"), "empty", sum(""), "long", sum(long))
	want(t, b.ok(work.Spec{Func: "wordcount"}, u...), "a", "2\tone\n1\ttwo_2\n1\tÄrger\n", "empty", "", "long", "2097152\tx\n")
	want(t, b.ok(work.Spec{Func: "noop"}, u...), "a", "", "empty", "", "long", "")
	want(t, b.ok(work.Spec{Func: "cat"}, u...), "a", "one two_2 one\nÄrger", "empty", "", "long", long)
}

func TestWeirdNames(t *testing.T) {
	b := newBench(t, work.Options{})
	var u, names, values, urls []string
	for _, n := range weird {
		u = append(u, b.put(n, "content of "+n)...)
		values = append(values, n, "content of "+n)
		names = append(names, n, n[strings.LastIndexByte(n, '/')+1:])
		urls = append(urls, n, b.root+n)
	}
	want(t, b.ok(work.Spec{Func: "cat"}, u...), values...)
	want(t, b.ok(work.Spec{Func: "name"}, u...), names...)
	want(t, b.ok(work.Spec{Command: []string{"cat"}}, u...), values...)
	want(t, b.ok(work.Spec{Command: []string{"cat", "{}"}}, u...), values...)
	want(t, b.ok(work.Spec{Command: []string{"printf", "%s", "{name}"}}, u...), names...)
	want(t, b.ok(work.Spec{Command: []string{"sh", "-c", `printf %s "$LEAT_URL"`}}, u...), urls...)
	want(t, b.ok(work.Spec{Command: []string{"sh", "-c", `printf %s "$1"`, "-", "{url}"}}, u...), urls...)
}

func TestLocalFiles(t *testing.T) {
	b := newBench(t, work.Options{})
	dir := t.TempDir()
	var u []string
	for _, n := range []string{"a b", "new\nline", "\xff.txt", "-x"} {
		name := filepath.Join(dir, n)
		if err := os.WriteFile(name, []byte(n), 0o600); err != nil {
			t.Fatal(err)
		}
		u = append(u, name)
	}
	got := b.ok(work.Spec{Command: []string{"cat"}}, u...)
	for name, v := range got {
		if v != filepath.Base(name) {
			t.Errorf("%q: %q", name, v)
		}
	}
	// The file itself, not a copy.
	for name, v := range b.ok(work.Spec{Command: []string{"printf", "%s", "{}"}}, u...) {
		if v != name {
			t.Errorf("{} of %q is %q", name, v)
		}
	}
	r := b.run(t.Context(), b.lease(work.Spec{Command: []string{"cat"}}, filepath.Join(dir, "none")))
	for _, f := range r.failed {
		if f.Problem.Kind != fault.NotExist {
			t.Errorf("absent file: %+v", f.Problem)
		}
	}
	if len(r.failed) != 1 {
		t.Errorf("%d failures, want 1", len(r.failed))
	}
}

func TestArguments(t *testing.T) {
	b := newBench(t, work.Options{})
	u := b.put("d/a.tar.gz", "A", "noext", "B", ".rc", "C", "x.", "D")
	want(t, b.ok(work.Spec{Command: []string{"printf", "%s|", "{stem}", "-o{ext}", "{name}{index}", "x{", "{other}", "{ url }", "}{"}}, u...),
		"d/a.tar.gz", "a.tar|-o.gz|a.tar.gz100|x{|{other}|{ url }|}{|",
		"noext", "noext|-o|noext101|x{|{other}|{ url }|}{|",
		".rc", "|-o.rc|.rc1102|x{|{other}|{ url }|}{|",
		"x.", "x|-o.|x.1103|x{|{other}|{ url }|}{|")
	got := b.ok(work.Spec{Command: []string{"printf", "%s", "--in={}"}}, u[0])
	if v := got["d/a.tar.gz"]; !strings.HasPrefix(v, "--in="+b.dir+"/") || !strings.HasSuffix(v, "/a.tar.gz") {
		t.Errorf("{} is %q", v)
	}
}

func TestInlineAndKept(t *testing.T) {
	b := newBench(t, work.Options{})
	small, large, huge := strings.Repeat("s", 32<<10), strings.Repeat("l", 32<<10+1), strings.Repeat("h", 3<<20)
	u := b.put("small", small, "large", large, "huge", huge)
	for _, spec := range []work.Spec{{Func: "cat"}, {Command: []string{"cat"}}} {
		r := b.run(t.Context(), b.lease(spec, u...))
		for i, kept := range []bool{false, true, true} {
			it := r.items[u[i]]
			if (it.Key != "") != kept || kept && it.Value != nil || !strings.HasPrefix(it.Key, "w1/") && kept {
				t.Errorf("%s: key %q and %d bytes inline", u[i], it.Key, len(it.Value))
			}
		}
		want(t, b.ok(spec, u...), "small", small, "large", large, "huge", huge)
	}
}

func TestFailures(t *testing.T) {
	b := newBench(t, work.Options{})
	u := b.put("a", "text")
	none := b.root + "none"
	for _, tc := range []struct {
		name   string
		spec   work.Spec
		url    string
		kind   fault.Kind
		exit   int
		text   string
		stderr string
	}{
		{"absent, function", work.Spec{Func: "bytes"}, none, fault.NotExist, 0, none, ""},
		{"absent, stdin", work.Spec{Command: []string{"cat"}}, none, fault.NotExist, 0, none, ""},
		{"absent, file", work.Spec{Command: []string{"cat", "{}"}}, none, fault.NotExist, 0, none, ""},
		{"bad scheme", work.Spec{Func: "bytes"}, "what://x/y", fault.Invalid, 0, "what", ""},
		{"function fails", work.Spec{Func: "fail"}, u[0], fault.UserError, 0, "no luck", ""},
		{"function panics", work.Spec{Func: "panic"}, u[0], fault.UserError, 0, "oops", "runner_test.go"},
		{"unknown function", work.Spec{Func: "nope"}, u[0], fault.Invalid, 0, "wordcount", ""},
		{"exit 3", work.Spec{Command: []string{"sh", "-c", "echo why >&2; exit 3"}}, u[0], fault.UserError, 3, "exit status 3", "why\n"},
		{"false", work.Spec{Command: []string{"false"}}, u[0], fault.UserError, 1, "exit status 1", ""},
		{"killed", work.Spec{Command: []string{"sh", "-c", "kill -9 $$"}}, u[0], fault.UserError, -1, "killed", ""},
		{"long stderr", work.Spec{Command: []string{"sh", "-c", "seq 100000 >&2; exit 1"}}, u[0], fault.UserError, 1, "exit status 1", "\n99999\n100000\n"},
		{"not found", work.Spec{Command: []string{"no-such-command"}}, u[0], fault.Invalid, 0, "no-such-command: command not found", ""},
		{"not executable", work.Spec{Command: []string{"/etc/passwd"}}, u[0], fault.Permission, 0, "/etc/passwd", ""},
		{"no directory", work.Spec{Command: []string{"cat"}, Dir: "/no/such/dir"}, u[0], fault.Invalid, 0, "/no/such/dir", ""},
		{"time", work.Spec{Command: []string{"sleep", "60"}, Timeout: 50 * time.Millisecond}, u[0], fault.Timeout, -1, "not done within 50ms", ""},
		{"time, function", work.Spec{Func: "block", Timeout: 50 * time.Millisecond}, u[0], fault.Timeout, 0, "not done within 50ms", ""},
	} {
		r := b.run(t.Context(), b.lease(tc.spec, tc.url))
		f, ok := r.failed[tc.url]
		p := f.Problem
		if !ok || len(r.items) > 0 || p.Kind != tc.kind || p.Exit != tc.exit || !strings.Contains(p.Text, tc.text) ||
			!strings.HasSuffix(string(p.Stderr), tc.stderr) && !strings.Contains(string(p.Stderr), "runner_test.go") || len(p.Stderr) > 4<<10 {
			t.Errorf("%s: %v exit %d %q stderr %.300q; want %v exit %d %q stderr %q", tc.name, p.Kind, p.Exit, p.Text, p.Stderr, tc.kind, tc.exit, tc.text, tc.stderr)
		}
	}
	if b.store.Stats().Values != 0 {
		t.Errorf("failures left values: %+v", b.store.Stats())
	}
}

func TestCommandNeedNotReadItsInput(t *testing.T) {
	b := newBench(t, work.Options{})
	u := b.put("big", strings.Repeat("x\n", 4<<20))
	want(t, b.ok(work.Spec{Command: []string{"echo", "hi"}}, u...), "big", "hi\n")
	want(t, b.ok(work.Spec{Command: []string{"head", "-n1"}}, u...), "big", "x\n")
}

// TestBrokenInput must never see a result of half an input.
func TestBrokenInput(t *testing.T) {
	b := newBench(t, work.Options{})
	b.put("k", strings.Repeat("0123456789", 1<<19), "small", "0123456789")
	marker := filepath.Join(t.TempDir(), "seen-end")
	for _, key := range []string{"k", "small"} {
		for _, spec := range []work.Spec{
			{Func: "bytes"}, {Func: "cat"}, {Command: []string{"cat"}}, {Command: []string{"wc", "-c", "{}"}},
			{Command: []string{"sh", "-c", "trap '' TERM; cat >/dev/null; touch " + marker}},
			{Command: []string{"cat"}, Out: b.root + "out/{index}"},
		} {
			b.bad.Clear()
			b.bad.Add(&faultfs.Rule{Op: "read", Path: key, N: 5, Err: fault.New("read", key, fault.Unavailable, errors.New("line cut"))})
			r := b.run(t.Context(), b.lease(spec, "bad://x/"+key))
			f := r.failed["bad://x/"+key]
			if len(r.items) > 0 || f.Problem.Kind != fault.Unavailable || !strings.Contains(f.Problem.Text, "line cut") {
				t.Errorf("%s, %v%v: %d results, %+v", key, spec.Func, spec.Command, len(r.items), f.Problem)
			}
		}
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a command saw the end of a broken input")
	}
	if _, err := fsys.New(b.mem, "").Stat(t.Context(), "out/100"); fault.KindOf(err) != fault.NotExist {
		t.Errorf("output of a broken input: %v", err)
	}
	if b.store.Stats().Values != 0 {
		t.Errorf("failures left values: %+v", b.store.Stats())
	}
}

func TestBatch(t *testing.T) {
	b := newBench(t, work.Options{})
	var u []string
	for i := range 10 { // numbers 100–104 and 1105–1109
		u = append(u, b.put(fmt.Sprint("f", i), fmt.Sprint(i))...)
	}
	want(t, b.ok(work.Spec{Command: []string{"cat"}, Batch: 3}, u...), "f0", "012", "f3", "34", "f5", "567", "f8", "89")
	want(t, b.ok(work.Spec{Command: []string{"cat", "{}"}, Batch: 4}, u...), "f0", "0123", "f4", "4", "f5", "5678", "f9", "9")
	want(t, b.ok(work.Spec{Command: []string{"echo", "{name}", "and", "{index}"}, Batch: 2}, u[:2]...), "f0", "f0 and 100\n", "f1", "f1 and 1101\n")
	r := b.run(t.Context(), b.lease(work.Spec{Command: []string{"false"}, Batch: 100}, u...))
	if len(r.failed) != 2 || r.failed[u[0]].Range.N != 5 {
		t.Errorf("failed batches: %+v", r.failed)
	}
}

func TestOut(t *testing.T) {
	b := newBench(t, work.Options{})
	u := b.put("in/a.txt", "A", "in/d/b.txt", "B")
	got := b.ok(work.Spec{Inputs: []string{b.root + "in/**/*.txt"}, Command: []string{"tr", "AB", "ab"}, Out: b.root + "out/{path}.gz"}, u...)
	want(t, got, "in/a.txt", b.root+"out/a.txt.gz", "in/d/b.txt", b.root+"out/d/b.txt.gz")
	for path, text := range map[string]string{"out/a.txt.gz": "a", "out/d/b.txt.gz": "b"} {
		if data, err := fsys.New(b.mem, "").ReadFile(t.Context(), path); err != nil || string(data) != text {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
	dir := t.TempDir()
	b.ok(work.Spec{Inputs: []string{b.root + "in/*.txt"}, Func: "bytes", Out: dir + "/{stem}.size"}, u[0])
	if data, err := os.ReadFile(dir + "/a.size"); err != nil || string(data) != "1" {
		t.Errorf("local output: %q, %v", data, err)
	}
	r := b.run(t.Context(), b.lease(work.Spec{Command: []string{"sh", "-c", "cat; exit 1"}, Out: b.root + "bad/{index}"}, u...))
	if len(r.failed) != 2 {
		t.Errorf("failures: %+v", r.failed)
	}
	if _, err := fsys.New(b.mem, "").Stat(t.Context(), "bad"); fault.KindOf(err) != fault.NotExist {
		t.Errorf("outputs of failed commands: %v", err)
	}
	up := b.put("in/../../etc/x", "X")
	r = b.run(t.Context(), b.lease(work.Spec{Inputs: []string{b.root + "in/**"}, Func: "cat", Out: dir + "/{path}"}, up...))
	if f := r.failed[up[0]]; f.Problem.Kind != fault.Refused {
		t.Errorf("a name that climbs: %+v", r)
	}
}

func TestReports(t *testing.T) {
	b := newBench(t, work.Options{})
	l := &sched.Lease{Job: "j", ID: 1}
	spec := work.Spec{Inputs: []string{"x"}, Func: "noop"}
	l.Spec, _ = spec.Encode()
	for i := range 5000 {
		l.Names.Append(fmt.Sprint("mem://x/", i), 0)
	}
	l.Set.Add(sched.Range{From: 10, N: 5000})
	r := b.run(t.Context(), l)
	if len(r.items) != 5000 || !slices.Equal(r.ranges, l.Set) || r.reports < 3 {
		t.Errorf("%d items, %v, %d reports", len(r.items), r.ranges, r.reports)
	}
	l.Names.Ends = l.Names.Ends[:4999]
	r = b.run(t.Context(), l)
	if !slices.Equal(r.ranges, l.Set) || len(r.items) > 0 {
		t.Errorf("a lease with a name missing: %v", r.ranges)
	}
}

// TestSlowInputsAreReportedOnTheirWay needs no more than one report to see
// that quick results do not wait for slow ones.
func TestSlowInputsAreReportedOnTheirWay(t *testing.T) {
	b := newBench(t, work.Options{Slots: 2})
	u := b.put("quick", "exit", "slow", "read x <"+filepath.Join(t.TempDir(), "fifo"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := b.lease(work.Spec{Command: []string{"sh", "-c", "if [ {name} = slow ]; then sleep 60; fi"}}, u...)
	var early []string
	b.Run(ctx, l, func(d *sched.Done) {
		if !d.Final {
			for _, it := range d.Items {
				early = append(early, string(it.Name))
			}
			cancel()
		}
	})
	if !slices.Equal(early, u[:1]) {
		t.Errorf("early reports of %q", early)
	}
}

func TestWidth(t *testing.T) {
	b := newBench(t, work.Options{Slots: 1, Width: 8})
	var u []string
	for i := range 8 {
		b.put(fmt.Sprint(i), "x")
		u = append(u, fmt.Sprint("bad://x/", i))
	}
	l := b.lease(work.Spec{Func: "bytes"}, u...)
	b.bad.Clear()
	// Each open waits until all are under way: with fewer in flight than
	// Width this would hang.
	var wg sync.WaitGroup
	wg.Add(8)
	opened := make(chan struct{})
	go func() { wg.Wait(); close(opened) }()
	gate := &gated{Resolver: b.mux, open: func() { wg.Done(); <-opened }}
	r := work.NewRunner(work.Options{Mux: gate, Store: b.store, Slots: 1, Width: 8})
	defer r.Close()
	n := 0
	r.Run(t.Context(), l, func(d *sched.Done) { n += len(d.Items) })
	if n != 8 {
		t.Errorf("%d results, want 8", n)
	}
}

// TestTimeoutIsForWork has inputs wait for the only slot for longer than each
// may take.
func TestTimeoutIsForWork(t *testing.T) {
	b := newBench(t, work.Options{Slots: 1})
	var u []string
	for i := range 6 {
		u = append(u, b.put(fmt.Sprint(i), "x")...)
	}
	got := b.ok(work.Spec{Command: []string{"sh", "-c", "sleep 0.2; echo done"}, Timeout: time.Second}, u...)
	if len(got) != 6 {
		t.Errorf("%d results, want 6", len(got))
	}
}

// TestBatchOfUnknownSize has inputs in one batch that are larger than what is
// read ahead, and whose size the listing did not say.
func TestBatchOfUnknownSize(t *testing.T) {
	b := newBench(t, work.Options{})
	x, y := strings.Repeat("x", 2<<20), strings.Repeat("y", 3<<20)
	u := b.put("a", x, "b", y, "c", "z")
	for _, spec := range []work.Spec{
		{Command: []string{"cat"}, Batch: 3}, {Command: []string{"cat", "{}"}, Batch: 3},
	} {
		l := b.lease(spec, u...)
		l.Names.Sizes = []int64{-1, -1, -1}
		l.Set = sched.Set{{From: 0, N: 3}}
		r := b.run(t.Context(), l)
		if it, ok := r.items[u[0]]; !ok || b.value(it) != x+y+"z" {
			t.Errorf("%v: %d bytes, %+v", spec.Command, it.Size, r.failed)
		}
	}
}

func TestNoExec(t *testing.T) {
	b := newBench(t, work.Options{NoExec: true})
	u := b.put("k", "x")
	r := b.run(t.Context(), b.lease(work.Spec{Command: []string{"cat"}}, u...))
	if k := r.failed[u[0]].Problem.Kind; k != fault.Refused {
		t.Errorf("a command: %v, want Refused", k)
	}
	r = b.run(t.Context(), b.lease(work.Spec{Func: "bytes", ReduceCommand: "cat"}, u...))
	if e := r.final.FoldErr; e == nil || e.Kind != fault.Refused {
		t.Errorf("a reduce command: %+v, want Refused", e)
	}
	want(t, b.ok(work.Spec{Func: "bytes"}, u...), "k", "1")
}

// gated calls open whenever something is resolved.
type gated struct {
	work.Resolver
	open func()
}

func (g *gated) Resolve(ctx context.Context, url string) (*fsys.FS, string, error) {
	g.open()
	return g.Resolver.Resolve(ctx, url)
}

func BenchmarkNoop(b *testing.B) {
	bench := newBench(b, work.Options{})
	spec := work.Spec{Inputs: []string{"x"}, Func: "noop"}
	l := &sched.Lease{Job: "j", ID: 1}
	l.Spec, _ = spec.Encode()
	for i := range 4096 {
		l.Names.Append(fmt.Sprint("mem://some-bucket/prefix/", i), 0)
	}
	l.Set.Add(sched.Range{From: 10, N: 4096})
	b.ReportAllocs()
	for b.Loop() {
		bench.Run(b.Context(), l, func(*sched.Done) {})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/input")
}

// BenchmarkWordcount folds the words of the Go library, in leases of 512.
func BenchmarkWordcount(b *testing.B) {
	bench := newBench(b, work.Options{})
	spec := work.Spec{Inputs: []string{"x"}, Func: "wordcount", Reduce: "top:20"}
	data, _ := spec.Encode()
	var leases []*sched.Lease
	var bytes int64
	n := uint64(0)
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Skipf("there is no Go to count: %v", err)
	}
	for m, err := range bench.mux.Glob(b.Context(), strings.TrimSpace(string(root))+"/src/**/*.go", nil) {
		if err != nil {
			b.Fatal(err)
		}
		if n%512 == 0 {
			leases = append(leases, &sched.Lease{Job: "j", ID: n, Spec: data})
		}
		l := leases[len(leases)-1]
		l.Set.Add(sched.Range{From: n, N: 1})
		l.Names.Append(m.URL, m.Entry.Size)
		bytes += m.Entry.Size
		n++
	}
	b.SetBytes(bytes)
	for b.Loop() {
		merge := &sched.Merge{Job: "j", Spec: data, Final: true}
		for _, l := range leases {
			bench.Run(b.Context(), l, func(d *sched.Done) {
				merge.Sources = append(merge.Sources, sched.Source{Key: d.Partial.Key})
			})
		}
		if m := bench.RunMerge(b.Context(), merge); m.Err != nil || len(m.Value) == 0 {
			b.Fatal(m.Err)
		}
		bench.store.DropAll()
	}
	b.ReportMetric(float64(n), "files")
}

func BenchmarkTrue(b *testing.B) {
	bench := newBench(b, work.Options{})
	l := bench.lease(work.Spec{Command: []string{"true"}}, bench.put("a", "x")...)
	for b.Loop() {
		bench.Run(b.Context(), l, func(*sched.Done) {})
	}
}
