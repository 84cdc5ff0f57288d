package fsys_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
)

func newMux(t *testing.T) *fsys.Mux {
	t.Helper()
	local := localfs.Backend(nil)
	m := fsys.NewMux(map[string]fsys.Backend{"": local, "file": local, "mem": memfs.Backend()})
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		memfs.Forget(t.Name())
	})
	return m
}

func TestScheme(t *testing.T) {
	for url, want := range map[string]string{
		"s3://b/k": "s3", "S3://b": "s3", "a+b-c.1://": "a+b-c.1", "/a://b": "", "a b://c": "", "1a://b": "",
		"cache::s3://b/k": "cache", "Cache,ttl=1m,a=b::S3://b": "cache", "a::b::c://d": "a", "a::b": "", "a::/b": "", "a,b::c": "",
		"zip://m::s3://b": "zip", "a::b/c://d": "", "a:://b": "", "::a://b": "", "a,b=c://d": "", "a:b::c://d": "",
		"": "", "://x": "", "file:/x": "", "./s3://b": "", "a/b://c": "", "é://x": "",
	} {
		if got := fsys.Scheme(url); got != want {
			t.Errorf("Scheme(%q) = %q, want %q", url, got, want)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Chdir(t.TempDir())
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	wd = strings.TrimPrefix(wd, "/")
	m := newMux(t)
	for url, want := range map[string][2]string{
		"/etc/hosts":              {"file://", "etc/hosts"},
		"file:///etc/hosts":       {"file://", "etc/hosts"},
		"FILE:///a%20b?c#d":       {"file://", "a%20b?c#d"},
		"rel/x":                   {"file://", wd + "/rel/x"},
		"file://rel":              {"file://", wd + "/rel"},
		"./a//b/../c/.":           {"file://", wd + "/a/c"},
		"..":                      {"file://", filepath.Dir(wd)},
		"/../..":                  {"file://", ""},
		"/":                       {"file://", ""},
		"dir/":                    {"file://", wd + "/dir"},
		"a*[b":                    {"file://", wd + "/a*[b"},
		"mem://n/a/b":             {"mem://n", "a/b"},
		"mem://n//a/../%2F?x#y\n": {"mem://n", "/a/../%2F?x#y\n"},
		"MEM://n/\xff":            {"mem://n", "\xff"},
		"mem://n":                 {"mem://n", ""},
		"mem://n/":                {"mem://n", ""},
	} {
		f, path, err := m.Resolve(t.Context(), url)
		if err != nil || f.Root() != want[0] || path != want[1] {
			t.Errorf("Resolve(%q) = %v, %q, %v, want %q", url, f, path, err, want)
			continue
		}
		// The URL of what was resolved resolves to the same.
		g, again, err := m.Resolve(t.Context(), f.URL(path))
		if err != nil || g != f || again != path {
			t.Errorf("Resolve(URL(%q)) = %q, %v", path, again, err)
		}
	}
	for _, url := range []string{"", "file://", "mem://", "mem:///x", "gs://b/k", "x://"} {
		_, _, err := m.Resolve(t.Context(), url)
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("Resolve(%q): %v, want Invalid", url, err)
		}
	}
	if _, _, err := m.Resolve(t.Context(), "gs://b/k"); err == nil || !strings.Contains(err.Error(), "known are file, mem") {
		t.Errorf("unknown scheme: %v", err)
	}
}

func TestResolvePattern(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w[1]")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	m := newMux(t)
	wd := strings.TrimPrefix(fsys.QuoteMeta(dir), "/")
	for url, want := range map[string]string{
		"*.go": wd + "/*.go", "./x/": wd + "/x/", "/a/b/": "a/b/", "/": "", `/a/\*/..`: "a", "/a/../*/./b": "*/b", "mem://n/a/../*": "a/../*",
	} {
		if _, got, err := m.ResolvePattern(t.Context(), url); err != nil || got != want {
			t.Errorf("ResolvePattern(%q) = %q, %v, want %q", url, got, err, want)
		}
	}
	for _, url := range []string{"/a/*/../b", "/**/..", "mem://*/x"} {
		if _, got, err := m.ResolvePattern(t.Context(), url); fault.KindOf(err) != fault.Invalid {
			t.Errorf("ResolvePattern(%q) = %q, %v, want Invalid", url, got, err)
		}
	}
	// A working directory with meta characters stands for itself.
	if err := os.WriteFile("x.go", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	var got []string
	for match, err := range m.Glob(t.Context(), "*.go", nil) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, match.URL)
	}
	if want := []string{dir + "/x.go"}; !slices.Equal(got, want) {
		t.Errorf("glob below %q = %q, want %q", dir, got, want)
	}
}

func TestMuxGlob(t *testing.T) {
	m := newMux(t)
	f, _, err := m.Resolve(t.Context(), "mem://"+t.Name())
	if err != nil {
		t.Fatal(err)
	}
	put(t, f, "a/1", "a/2 #?%", "b/1")
	var urls []string
	for match, err := range m.Glob(t.Context(), "mem://"+t.Name()+"/a/*", nil) {
		if err != nil {
			t.Fatal(err)
		}
		if match.FS != f {
			t.Error("another instance of the store")
		}
		urls = append(urls, match.URL)
		if g, path, err := m.Resolve(t.Context(), match.URL); err != nil || g != f || path != match.Entry.Path {
			t.Errorf("Resolve(%q) = %q, %v", match.URL, path, err)
		}
	}
	if want := []string{"mem://" + t.Name() + "/a/1", "mem://" + t.Name() + "/a/2 #?%"}; !slices.Equal(urls, want) {
		t.Errorf("glob = %q, want %q", urls, want)
	}
}

// counting is a back end that counts what is opened and closed.
type counting struct {
	mu           sync.Mutex
	open, closed int
	fail         error
	entered      chan struct{} // receives when Open is entered
	leave        chan struct{} // Open waits for it
}

type closer struct {
	driver.FS
	c *counting
}

func (c closer) Close() error {
	c.c.mu.Lock()
	defer c.c.mu.Unlock()
	c.c.closed++
	return nil
}

func (c *counting) backend() fsys.Backend {
	b := memfs.Backend()
	b.Open = func(ctx context.Context, _ string) (driver.FS, error) {
		if c.entered != nil {
			c.entered <- struct{}{}
			select {
			case <-c.leave:
			case <-ctx.Done():
				return nil, fault.New("open", "", fault.Canceled, ctx.Err())
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.fail != nil {
			return nil, c.fail
		}
		c.open++
		return closer{memfs.New(), c}, nil
	}
	return b
}

func TestMuxSharesInstances(t *testing.T) {
	c := &counting{}
	m := fsys.NewMux(map[string]fsys.Backend{"mem": c.backend()})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { // owner: this test, which waits
			for _, name := range []string{"a", "b"} {
				f, _, err := m.Resolve(t.Context(), "mem://"+name+"/x")
				if err != nil {
					t.Error(err)
					continue
				}
				if err := f.Close(); err != nil { // does nothing: the mux owns it
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if c.open != 2 || c.closed != 0 {
		t.Errorf("%d opened, %d closed, want 2 and 0", c.open, c.closed)
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if c.closed != 2 {
		t.Errorf("%d closed, want 2", c.closed)
	}
	if _, _, err := m.Resolve(t.Context(), "mem://a/x"); err == nil {
		t.Error("resolved after Close")
	}
}

func TestMuxForgetsFailures(t *testing.T) {
	c := &counting{fail: fault.New("open", "", fault.Unavailable, errors.New("down"))}
	m := fsys.NewMux(map[string]fsys.Backend{"mem": c.backend()})
	defer m.Close()
	if _, _, err := m.Resolve(t.Context(), "mem://a/x"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("error %v", err)
	}
	c.fail = nil
	if _, _, err := m.Resolve(t.Context(), "mem://a/x"); err != nil {
		t.Errorf("the second time: %v", err)
	}
}

// One caller's giving up is not the other's, which waits for it.
func TestMuxOpenerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{entered: make(chan struct{}), leave: make(chan struct{})}
		m := fsys.NewMux(map[string]fsys.Backend{"mem": c.backend()})
		defer m.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { // owner: this test, which waits
			if _, _, err := m.Resolve(ctx, "mem://a/x"); fault.KindOf(err) != fault.Canceled {
				t.Errorf("the first: %v, want Canceled", err)
			}
		})
		<-c.entered
		wg.Go(func() { // owner: this test, which waits
			if _, _, err := m.Resolve(t.Context(), "mem://a/x"); err != nil {
				t.Errorf("the second: %v", err)
			}
		})
		synctest.Wait() // the second waits for the first
		cancel()
		<-c.entered // and now opens for itself
		close(c.leave)
		wg.Wait()
	})
}
