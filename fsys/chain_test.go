package fsys_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
)

// chains counts what its links open and close, in order.
type chains struct {
	mu   sync.Mutex
	log  []string
	fail error
}

func (c *chains) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, fmt.Sprintf(format, args...))
}

// taken returns the log and empties it.
func (c *chains) taken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	log := c.log
	c.log = nil
	return log
}

type noted struct {
	driver.FS
	c    *chains
	name string
}

func (n noted) Close() error {
	n.c.note("close %s", n.name)
	return nil
}

// mux has the store "mem", the layer "w" and "in", the file system inside of
// an object, which holds "inside" with the name of that object.
func (c *chains) mux(t *testing.T) *fsys.Mux {
	mem := memfs.Backend()
	open := mem.Open
	mem.Open = func(ctx context.Context, root string) (driver.FS, error) {
		c.note("open %s", root)
		drv, err := open(ctx, root)
		return noted{drv, c, root}, err
	}
	mem.Secret = func(root string) bool { return strings.Contains(root, "secret") }
	m := fsys.NewMux(map[string]fsys.Backend{
		"": localfs.Backend(nil), "mem": mem,
		"w": {Wrap: func(_ context.Context, inner *fsys.FS, opts fsys.LinkOptions) (driver.FS, error) {
			c.note("wrap %s%s", inner.Root(), opts)
			return noted{inner.Driver(), c, "w"}, c.fail
		}},
		"in": {Over: func(ctx context.Context, inner *fsys.FS, path string, opts fsys.LinkOptions) (driver.FS, error) {
			c.note("over %s%s", inner.URL(path), opts)
			if c.fail != nil {
				return nil, c.fail
			}
			drv := memfs.New()
			_, err := fsys.New(drv, "").WriteFile(ctx, "inside", []byte(inner.URL(path)))
			return noted{drv, c, "in"}, err
		}},
	})
	t.Cleanup(func() { m.Close() })
	return m
}

func TestChainResolve(t *testing.T) {
	t.Chdir(t.TempDir())
	c := &chains{}
	m := c.mux(t)
	for url, want := range map[string][2]string{ // root, path
		"w::mem://n/a/b":                 {"w::mem://n", "a/b"},
		"W::MEM://n/a":                   {"w::mem://n", "a"},
		"w::w::mem://n/a":                {"w::w::mem://n", "a"},
		"w::/etc/x":                      {"w::file://", "etc/x"},
		"w,b=2,A=x%2Cy%3Az::mem://n/a":   {"w,a=x%2Cy%3Az,b=2::mem://n", "a"},
		"in://m/x::mem://n/a.zip":        {"in://::mem://n/a.zip", "m/x"},
		"in::mem://n/a.zip":              {"in://::mem://n/a.zip", ""},
		"in://::mem://n/a.zip":           {"in://::mem://n/a.zip", ""},
		"in://y::in://x::mem://n/a":      {"in://::in://x::mem://n/a", "y"},
		"w::in://x::w::mem://n/a":        {"w::in://::w::mem://n/a", "x"},
		"in://a%3A%3Ab%25c%d::mem://n/a": {"in://::mem://n/a", "a::b%c%d"},
		"in://x::mem://n/a::b":           {"in://::mem://n/a::b", "x"},
		"in://*?[\xff\n#::mem://n/*?[":   {"in://::mem://n/*?[", "*?[\xff\n#"},
		"mem://n/w::mem://n/a":           {"mem://n", "w::mem://n/a"},
		"mem://n/in://x::y":              {"mem://n", "in://x::y"},
		"in,k=v://x::mem://n/a":          {"in,k=v://::mem://n/a", "x"},
		"/a/w::b":                        {"file://", "a/w::b"},
	} {
		f, path, err := m.Resolve(t.Context(), url)
		if err != nil || f.Root() != want[0] || path != want[1] {
			t.Errorf("Resolve(%q) = %v, %q, %v, want %q", url, f, path, err, want)
			continue
		}
		g, again, err := m.Resolve(t.Context(), f.URL(path))
		if err != nil || g != f || again != path {
			t.Errorf("Resolve(%q) = %q, %v, want the same as %q", f.URL(path), again, err, url)
		}
	}
	// Names of local files that look a little like chains.
	for _, name := range []string{"std::vector.html", "a::b", "in", "w", "x,y=1", "v,1::2", "W:", "in:x"} {
		f, path, err := m.Resolve(t.Context(), name)
		if err != nil || f.Root() != "file://" || !strings.HasSuffix(path, "/"+name) {
			t.Errorf("Resolve(%q) = %q, %v, want a local file", name, path, err)
		}
	}
}

func TestChainRefuses(t *testing.T) {
	m := (&chains{}).mux(t)
	for url, says := range map[string]string{
		"x::mem://n/a":                           `unknown layer "x"; known are in, w`,
		"x::w::mem://n/a":                        "unknown layer",
		"x,ttl=1::mem://n/a":                     "unknown layer",
		"w::x::mem://n/a":                        "unknown layer",
		"w://p::mem://n/a":                       "w has no path of its own: write w::URL",
		"in://x":                                 "in://PATH::URL",
		"w::":                                    "empty",
		"w::nope://x":                            "unknown scheme",
		"w,ttl::mem://n/a":                       "options are like ,name=value",
		"w,=1::mem://n/a":                        "options are like",
		"w,a=1,A=2::mem://n/a":                   "given twice",
		"w,a=%zz::mem://n/a":                     "written %25",
		"w,a=%4::mem://n/a":                      "written %25",
		"w,a=1":                                  "begins a chain",
		strings.Repeat("w::", 100) + "mem://n/a": "more than 16 links",
		strings.Repeat("in::", 100) + "mem://n/a": "more than 16 links",
	} {
		_, _, err := m.Resolve(t.Context(), url)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), says) {
			t.Errorf("Resolve(%q): %v, want %q", url, err, says)
		}
	}
}

// Whatever the name of a member, its URL leads back to it.
func FuzzChainURL(f *testing.F) {
	for _, s := range []string{"", "a", ":", "::", "a:::b::", "%3A", "%25", "%253A", "%", "a:", "%2", "\xff\x00/"} {
		f.Add(s)
	}
	m := fsys.NewMux(map[string]fsys.Backend{"mem": memfs.Backend(), "in": {
		Over: func(context.Context, *fsys.FS, string, fsys.LinkOptions) (driver.FS, error) { return memfs.New(), nil },
	}})
	f.Cleanup(func() { m.Close() })
	fs, _, err := m.Resolve(f.Context(), "in://::mem://fuzz/%3A::x")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		g, got, err := m.Resolve(t.Context(), fs.URL(path))
		if err != nil || g != fs || got != path {
			t.Errorf("%q is written %q, which reads as %q, %v", path, fs.URL(path), got, err)
		}
		_, _, _ = m.Resolve(t.Context(), path) // no panic, whatever it is
	})
}

// Whatever the value of an option, the URL of the store leads back to it.
func FuzzChainOptions(f *testing.F) {
	for _, s := range []string{"", "1m", ",", "::", "%", "%3A", "a=b", "\xff\x00 /"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var got fsys.LinkOptions
		m := fsys.NewMux(map[string]fsys.Backend{"mem": memfs.Backend(), "w": {
			Wrap: func(_ context.Context, inner *fsys.FS, opts fsys.LinkOptions) (driver.FS, error) {
				got = opts
				return inner.Driver(), nil
			},
		}})
		defer m.Close()
		g, err := m.OpenSpec(t.Context(), fsys.Spec{Links: []fsys.Link{
			{Scheme: "w", Options: fsys.LinkOptions{"k": value}}, {Scheme: "mem", Root: "mem://fuzz"},
		}})
		if err != nil || got["k"] != value {
			t.Fatalf("%q arrives as %q, %v", value, got["k"], err)
		}
		h, path, err := m.Resolve(t.Context(), g.URL("x"))
		if err != nil || h.Root() != g.Root() || path != "x" || h.Driver() != g.Driver() {
			t.Errorf("%q is written %q, which leads to another store: %v", value, g.URL("x"), err)
		}
	})
}

func TestChainGlob(t *testing.T) {
	m := (&chains{}).mux(t)
	base, _, err := m.Resolve(t.Context(), "mem://"+t.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer memfs.Forget(t.Name())
	for _, p := range []string{"a[1]", "b"} {
		if _, err := base.WriteFile(t.Context(), p, []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	root := "mem://" + t.Name()
	for pattern, want := range map[string][]string{
		"w::" + root + "/*":            {"w::" + root + "/a[1]", "w::" + root + "/b"},
		"in://*::" + root + "/a[1]":    {"in://inside::" + root + "/a[1]"},
		"w::in://*::w::" + root + "/b": {"w::in://inside::w::" + root + "/b"},
	} {
		var got []string
		for match, err := range m.Glob(t.Context(), pattern, nil) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, match.URL)
			if data, err := match.FS.ReadFile(t.Context(), match.Entry.Path); err != nil || len(data) == 0 {
				t.Errorf("read %s: %q, %v", match.URL, data, err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("glob %s = %q, want %q", pattern, got, want)
		}
	}
}

func TestChainSharesAndClosesInOrder(t *testing.T) {
	c := &chains{}
	m := c.mux(t)
	for range 2 {
		for _, url := range []string{"w::in://x::mem://n/a", "in://y::mem://n/a", "mem://n/z"} {
			if _, _, err := m.Resolve(t.Context(), url); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, want := c.taken(), []string{"open mem://n", "over mem://n/a", "wrap in://::mem://n/a"}; !slices.Equal(got, want) {
		t.Errorf("opened %q, want %q", got, want)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if got, want := c.taken(), []string{"close w", "close in", "close mem://n"}; !slices.Equal(got, want) {
		t.Errorf("closed %q, want %q", got, want)
	}
}

func TestSpecOpensTheSame(t *testing.T) {
	c := &chains{}
	for _, url := range []string{
		"w,ttl=1m::in://x::mem://n/a\xff%", "mem://n/x", "in://::w::mem://n/", "w::/tmp",
	} {
		here, there := c.mux(t), c.mux(t)
		f, _, err := here.Resolve(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := f.Spec()
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(spec)
		if err != nil {
			t.Fatal(err)
		}
		var read fsys.Spec
		if err := json.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		g, err := there.OpenSpec(t.Context(), read)
		if err != nil {
			t.Errorf("%s: %v", data, err)
			continue
		}
		if g.Root() != f.Root() || g.URL("p") != f.URL("p") {
			t.Errorf("%s opened %s, want %s", data, g.Root(), f.Root())
		}
		if r, _, err := there.Resolve(t.Context(), url); err != nil || r.Driver() != g.Driver() {
			t.Errorf("%s: the spec and the URL have two instances, %v", url, err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSpecCounts(t *testing.T) {
	c := &chains{}
	m := c.mux(t)
	spec := fsys.Spec{Links: []fsys.Link{{Scheme: "w"}, {Scheme: "in", Path: "a"}, {Scheme: "mem", Root: "mem://n"}}}
	var all []*fsys.FS
	for range 3 {
		f, err := m.OpenSpec(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	base, err := m.OpenSpec(t.Context(), fsys.Spec{Links: spec.Links[2:]})
	if err != nil {
		t.Fatal(err)
	}
	c.taken()
	for _, i := range []int{0, 1, 1, 1, 0} { // closing twice counts once
		if err := all[i].Close(); err != nil {
			t.Error(err)
		}
	}
	if log := c.taken(); len(log) > 0 {
		t.Errorf("with one handle left: %q", log)
	}
	all[2].Close()
	if got, want := c.taken(), []string{"close w", "close in"}; !slices.Equal(got, want) {
		t.Errorf("after the last handle: %q, want %q", got, want)
	}
	if _, err := base.Stat(t.Context(), ""); err != nil {
		t.Errorf("the store below has a handle and is gone: %v", err)
	}
	base.Close()
	if got, want := c.taken(), []string{"close mem://n"}; !slices.Equal(got, want) {
		t.Errorf("after the last handle: %q, want %q", got, want)
	}
	again, err := m.OpenSpec(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.Resolve(t.Context(), "mem://n/a"); err != nil { // pins the store below
		t.Fatal(err)
	}
	c.taken()
	again.Close()
	if got, want := c.taken(), []string{"close w", "close in"}; !slices.Equal(got, want) {
		t.Errorf("over a pinned store: %q, want %q", got, want)
	}
}

// A link that does not open leaves nothing open that nobody has.
func TestChainFailureReleasesWhatIsBelow(t *testing.T) {
	c := &chains{fail: fault.New("open", "a", fault.Corrupt, errors.New("no archive"))}
	m := c.mux(t)
	_, _, err := m.Resolve(t.Context(), "w::in://x::mem://n/a")
	if fault.KindOf(err) != fault.Corrupt {
		t.Errorf("error %v, want Corrupt", err)
	}
	if got, want := c.taken(), []string{"open mem://n", "over mem://n/a", "close mem://n"}; !slices.Equal(got, want) {
		t.Errorf("log %q, want %q", got, want)
	}
}

func TestSpecConcurrently(t *testing.T) {
	c := &chains{}
	m := c.mux(t)
	spec := fsys.Spec{Links: []fsys.Link{{Scheme: "w"}, {Scheme: "in", Path: "a"}, {Scheme: "mem", Root: "mem://n"}}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { // owner: this test, which waits
			for range 200 {
				f, err := m.OpenSpec(t.Context(), spec)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := f.ReadFile(t.Context(), "inside"); err != nil {
					t.Error(err)
				}
				f.Close()
			}
		})
	}
	wg.Wait()
	opens, closes := 0, 0
	for _, l := range c.taken() {
		if strings.HasPrefix(l, "close") {
			closes++
		} else {
			opens++
		}
	}
	if opens == 0 || opens != closes {
		t.Errorf("%d opened, %d closed", opens, closes)
	}
}

func TestSpecRefuses(t *testing.T) {
	m := (&chains{}).mux(t)
	if _, err := fsys.New(memfs.New(), "mem://x").Spec(); fault.KindOf(err) != fault.Unsupported {
		t.Errorf("spec of a file system without URL: %v", err)
	}
	f, _, err := m.Resolve(t.Context(), "w::in://x::mem://secret/a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Spec(); fault.KindOf(err) != fault.Refused || strings.Contains(err.Error(), "secret/") {
		t.Errorf("spec of a store with a credential: %v", err)
	}
	for _, data := range []string{
		`{"version":1,"links":[]}`, `{"version":2,"links":[{"scheme":"mem","root":"mem://n"}]}`, `{}`, `[]`,
		`{"version":1,"links":[{"scheme":"mem","root":"mem://n","readonly":true}]}`,
		`{"version":1,"links":[{"scheme":"nope","root":"mem://n"}]}`,
		`{"version":1,"links":[{"scheme":"mem"}]}`, `{"version":1,"links":[{"scheme":"w"}]}`,
		`{"version":1,"links":[{"scheme":"w","path":"a"},{"scheme":"mem","root":"mem://n"}]}`,
		`{"version":1,"links":[{"scheme":"mem","root":"mem://n"},{"scheme":"mem","root":"mem://n"}]}`,
		`{"version":1,"links":[{"scheme":"mem","root":"mem://n","options":{"a":"b"}}]}`,
	} {
		var s fsys.Spec
		err := json.Unmarshal([]byte(data), &s)
		if err == nil {
			_, err = m.OpenSpec(t.Context(), s)
		}
		if err == nil {
			t.Errorf("%s was opened", data)
		}
	}
}
