package cachefs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/cachefs"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

// calls returns how often the store was asked for what in run.
func (b *bench) calls(run func()) (opens, stats int) {
	opens, stats = b.rules.Calls("open"), b.rules.Calls("stat")
	run()
	return b.rules.Calls("open") - opens, b.rules.Calls("stat") - stats
}

func TestRevalidate(t *testing.T) {
	for name, c := range map[string]struct {
		policy   time.Duration
		wait     time.Duration
		replaced bool // shows
		requests int  // by ten more opens
	}{
		"always":           {0, 0, true, 10},
		"after, too young": {time.Minute, 59 * time.Second, false, 0},
		"after, old":       {time.Minute, time.Minute, true, 0},
		"never":            {cachefs.Forever, 1000 * time.Hour, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, cachefs.Options{Revalidate: c.policy, MaxAge: -1})
				want, data := content(3*block+5, 1), content(2*block, 2)
				b.write(t, "a", want)
				b.want(t, "a", 0, -1, want)
				b.write(t, "a", data)
				time.Sleep(c.wait) // in the bubble of synctest
				if c.replaced {
					want = data
				}
				b.want(t, "a", 0, -1, want)
				fetched := b.stats.FetchedBytes.Load()
				opens, stats := b.calls(func() {
					for range 10 {
						b.want(t, "a", 10, 20, want[10:30])
					}
				})
				if opens != 0 || stats != c.requests || b.stats.FetchedBytes.Load() != fetched {
					t.Errorf("%d bodies and %d versions asked for, want %d; %d bytes fetched again",
						opens, stats, c.requests, b.stats.FetchedBytes.Load()-fetched)
				}
			})
		})
	}
}

// A trusted version that is gone from the store is not an error while it is
// in the cache, and is asked for again when a block of it is missing.
func TestTrustedVersionIsReplaced(t *testing.T) {
	b := newBench(t, cachefs.Options{Revalidate: cachefs.Forever})
	old, data := content(8*block, 1), content(8*block, 2)
	b.write(t, "a", old)
	b.want(t, "a", 0, 10, old[:10])
	b.write(t, "a", data)
	b.want(t, "a", 20, 10, old[20:30])               // trusted
	b.want(t, "a", 5*block, 10, data[5*block:][:10]) // could not be had of the old version
	b.want(t, "a", 0, -1, data)
	if err := b.below.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	b.want(t, "a", 0, -1, data)
}

// A reader never gives parts of two versions.
func TestReplacedWhileRead(t *testing.T) {
	for name, opts := range settings(t) {
		t.Run(name, func(t *testing.T) {
			opts.BlockBytes = block
			b := newBench(t, opts)
			old, data := content(100*block, 1), content(100*block, 2)
			b.write(t, "a", old)
			r, err := b.Open(t.Context(), "a", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			head := make([]byte, 10)
			if _, err := io.ReadFull(r, head); err != nil {
				t.Fatal(err)
			}
			b.write(t, "a", data)
			tail, err := io.ReadAll(r)
			if got := append(head, tail...); err == nil && !bytes.Equal(got, old) || !bytes.HasPrefix(old, got) {
				t.Errorf("%d bytes, %v: not of one version", len(got), err)
			}
			if err != nil && fault.KindOf(err) != fault.Changed {
				t.Errorf("%v, want Changed", err)
			}
		})
	}
}

// Missing blocks side by side come in one request; those at hand are not
// asked for again.
func TestRunsOfMissingBlocks(t *testing.T) {
	b := newBench(t, cachefs.Options{Revalidate: cachefs.Forever})
	data := content(20*block-7, 1)
	b.write(t, "a", data)
	if _, err := b.Stat(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		off, n int64
		opens  int
		blocks int64 // that were fetched
	}{
		{5*block + 1, 10, 1, 1},
		{5*block + 1, 10, 0, 0},
		{5 * block, block, 0, 0},
		{2 * block, 10 * block, 2, 9}, // 2-4 and 6-11
		{0, -1, 2, 10},
		{-1, -1, 0, 0},
	} {
		fetched := b.stats.FetchedBytes.Load()
		off := c.off
		if off < 0 {
			off += int64(len(data))
		}
		end := int64(len(data))
		if c.n > 0 {
			end = off + c.n
		}
		opens, stats := b.calls(func() { b.want(t, "a", c.off, c.n, data[off:end]) })
		got := (b.stats.FetchedBytes.Load() - fetched + block - 1) / block
		if opens != c.opens || stats != 0 || got != c.blocks {
			t.Errorf("read %d: %d requests for %d blocks, %d versions, want %d for %d", i, opens, got, stats, c.opens, c.blocks)
		}
	}
}

// Of many that want the same block one fetches it.
func TestSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, cachefs.Options{Revalidate: cachefs.Forever, MemoryBytes: -1})
		data := content(block, 1)
		b.write(t, "a", data)
		if _, err := b.Stat(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		b.rules.Add(&faultfs.Rule{Op: "open", Delay: time.Second})
		var wg sync.WaitGroup
		opens, _ := b.calls(func() {
			for range 50 {
				wg.Go(func() { // owner: this test, which waits
					b.want(t, "a", 7, 100, data[7:107])
				})
			}
			wg.Wait()
		})
		if opens != 1 {
			t.Errorf("%d requests, want 1", opens)
		}
	})
}

// Who gives up, or fails, does so for itself alone.
func TestSingleFlightFailsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, cachefs.Options{Revalidate: cachefs.Forever})
		data := content(block, 1)
		b.write(t, "a", data)
		if _, err := b.Stat(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		b.rules.Add(&faultfs.Rule{Op: "open", Times: 1, Delay: time.Hour},
			&faultfs.Rule{Op: "open", Skip: 1, Times: 1, Delay: time.Second, Err: down()})
		ctx, cancel := context.WithCancel(t.Context())
		kinds := make(chan fault.Kind, 3)
		read := func(ctx context.Context) {
			got, err := b.ReadFile(ctx, "a")
			if err == nil && !bytes.Equal(got, data) {
				t.Error("wrong bytes")
			}
			kinds <- fault.KindOf(err)
		}
		go read(ctx) // owner: this test, which takes its answer
		synctest.Wait()
		go read(t.Context()) // owner: this test, which takes its answer
		synctest.Wait()
		go read(t.Context()) // owner: this test, which takes its answer
		synctest.Wait()
		cancel()
		got := []fault.Kind{<-kinds, <-kinds, <-kinds}
		slices.Sort(got)
		if want := []fault.Kind{fault.None, fault.Unavailable, fault.Canceled}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// A waiting reader leaves when its own context ends.
func TestSingleFlightWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, cachefs.Options{Revalidate: cachefs.Forever})
		b.write(t, "a", content(block, 1))
		if _, err := b.Stat(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		b.rules.Add(&faultfs.Rule{Op: "open", Delay: time.Hour})
		var wg sync.WaitGroup
		wg.Go(func() { // owner: this test, which waits
			if _, err := b.ReadFile(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.ReadFile(ctx, "a"); fault.KindOf(err) != fault.Timeout {
			t.Errorf("%v, want Timeout", err)
		}
		wg.Wait()
	})
}

// Two readers of one stream share what comes.
func TestReadersInTurns(t *testing.T) {
	b := newBench(t, cachefs.Options{Revalidate: cachefs.Forever})
	data := content(40*block+1, 1)
	b.write(t, "a", data)
	var got [3][]byte
	var readers [3]fsys.Reader
	for i := range readers {
		r, err := b.Open(t.Context(), "a", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		readers[i] = r
	}
	buf := make([]byte, 1000)
	for round, left := 0, 3; left > 0; round++ {
		i := round * 7 % 3
		n, err := readers[i].Read(buf[:1+round%1000])
		got[i] = append(got[i], buf[:n]...)
		if err == io.EOF && len(got[i]) == len(data) && n == 0 {
			got[i] = append(got[i], 0) // counted
			left--
		} else if err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	for i := range got {
		if !bytes.Equal(got[i][:len(data)], data) {
			t.Errorf("reader %d: %s", i, firstDifference(got[i], data))
		}
	}
	if n := b.stats.Misses.Load(); n != 41 {
		t.Errorf("%d blocks fetched, want 41", n)
	}
}

// What has no version is read, and not kept.
func TestWithoutVersion(t *testing.T) {
	mem := memfs.New()
	b := benchOver(t, versionless{mem}, cachefs.Options{Revalidate: cachefs.Forever, Dir: t.TempDir(), WholeBytes: 1 << 30})
	for i := range byte(3) {
		data := content(3*block, i)
		b.write(t, "a", data)
		b.want(t, "a", 0, -1, data)
		b.want(t, "a", 5, block, data[5:][:block])
		b.want(t, "a", -5, -1, data[len(data)-5:])
	}
	if b.stats.Misses.Load() != 0 {
		t.Error("blocks without a version were kept")
	}
}

type versionless struct{ *memfs.FS }

func (v versionless) Stat(ctx context.Context, path string) (driver.Entry, error) {
	e, err := v.FS.Stat(ctx, path)
	e.Version = ""
	return e, err
}

func (v versionless) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	r, err := v.FS.Open(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	return versionlessReader{r}, nil
}

type versionlessReader struct{ driver.Reader }

func (v versionlessReader) Entry() driver.Entry {
	e := v.Reader.Entry()
	e.Version = ""
	return e
}

// A store that ignores the version asked for cannot slip in another.
func TestStoreIgnoresTheVersion(t *testing.T) {
	b := benchOver(t, unpinned{memfs.New()}, cachefs.Options{Revalidate: cachefs.Forever})
	old, data := content(3*block, 1), content(3*block, 2)
	b.write(t, "a", old)
	b.want(t, "a", 0, 10, old[:10])
	r, err := b.Open(t.Context(), "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b.write(t, "a", data)
	if got, err := io.ReadAll(r); fault.KindOf(err) != fault.Changed || !bytes.HasPrefix(old, got) {
		t.Errorf("%d bytes, %v, want Changed", len(got), err)
	}
	b.want(t, "a", 0, -1, data)
}

type unpinned struct{ *memfs.FS }

func (u unpinned) Open(ctx context.Context, path string, opts driver.OpenOptions) (driver.Reader, error) {
	opts.Version = ""
	return u.FS.Open(ctx, path, opts)
}

// list returns what a listing gives, directories with a "/".
func (b *bench) list(t *testing.T, dir string, opts *fsys.ListOptions) string {
	t.Helper()
	var all []string
	for e, err := range b.List(t.Context(), dir, opts) {
		if err != nil {
			return "error: " + fault.KindOf(err).String()
		}
		all = append(all, e.Path+map[fsys.Kind]string{fsys.Dir: "/"}[e.Kind])
	}
	return strings.Join(all, " ")
}

func TestListings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, cachefs.Options{ListTTL: time.Minute})
		for _, p := range []string{"a/b/c", "a/d", "e"} {
			b.write(t, p, nil)
		}
		recursive := &fsys.ListOptions{Recursive: true}
		for range 2 {
			for _, c := range []struct {
				dir  string
				opts *fsys.ListOptions
				want string
			}{
				{"", nil, "a/ e"}, {"a", nil, "a/b/ a/d"}, {"a/b", nil, "a/b/c"}, {"", recursive, "a/b/c a/d e"},
				{"", &fsys.ListOptions{Prefix: "e"}, "e"}, {"", &fsys.ListOptions{After: "a/"}, "e"},
				{"", &fsys.ListOptions{Recursive: true, Prefix: "a/", After: "a/b/c"}, "a/d"},
				{"absent", nil, "error: does not exist"},
			} {
				if got := b.list(t, c.dir, c.opts); got != c.want {
					t.Errorf("list %q %+v = %q, want %q", c.dir, c.opts, got, c.want)
				}
			}
		}
		if n := b.rules.Calls("list"); n != 6 { // 4 and twice "absent", which is not kept
			t.Errorf("the store was asked %d times, want 6", n)
		}
		// Others' changes are seen after a while.
		b.write(t, "new", nil)
		if got := b.list(t, "", nil); got != "a/ e" {
			t.Errorf("%q within the time", got)
		}
		time.Sleep(time.Minute) // in the bubble of synctest
		if got := b.list(t, "", nil); got != "a/ e new" {
			t.Errorf("%q after the time", got)
		}
	})
}

// An own change shows at once, in all directories up to the root.
func TestListingsAfterOwnChanges(t *testing.T) {
	b := newBench(t, cachefs.Options{ListTTL: time.Hour})
	look := func() string {
		var all []string
		for _, dir := range []string{"", "x", "x/y", "x/y/z"} {
			all = append(all, b.list(t, dir, nil), b.list(t, dir, &fsys.ListOptions{Recursive: true}))
		}
		return strings.Join(all, "|")
	}
	b.write(t, "keep", nil)
	for i, change := range []func() error{
		func() error { _, err := b.WriteFile(t.Context(), "x/y/z/f", nil); return err },
		func() error { _, err := b.Copy(t.Context(), "x/y/z/f", "x/y/g"); return err },
		func() error { return b.Remove(t.Context(), "x/y/z/f") },
		func() error { return errors.Join(b.RemoveBatch(t.Context(), []string{"x/y/g", "keep"})...) },
		func() error { _, err := b.WriteFile(t.Context(), "/x//y", nil); return err },
		func() error { // the answer gets lost
			b.rules.Add(&faultfs.Rule{Op: "commit", Times: 1, Done: true, Err: down()})
			if _, err := b.WriteFile(t.Context(), "x/lost", nil); err == nil {
				return errors.New("the rule did not strike")
			}
			return nil
		},
	} {
		look()
		if err := change(); err != nil {
			t.Fatal(err)
		}
		got := look()
		fresh := &bench{FS: b.below}
		b, fresh = fresh, b
		want := look()
		b = fresh
		if got != want {
			t.Errorf("after change %d: %q, want %q", i, got, want)
		}
	}
}

// A listing that breaks off, is left early, or runs beside a write, is not
// kept.
func TestIncompleteListingsAreNotKept(t *testing.T) {
	b := newBench(t, cachefs.Options{ListTTL: time.Hour})
	for i := range 5 {
		b.write(t, fmt.Sprint("f", i), nil)
	}
	b.rules.Add(&faultfs.Rule{Op: "list", Times: 1, N: 3, Err: down()})
	if got := b.list(t, "", nil); got != "error: unavailable" {
		t.Errorf("a broken listing gives %q", got)
	}
	for range b.List(t.Context(), "", nil) {
		break
	}
	for range b.List(t.Context(), "", nil) {
		if _, err := b.WriteFile(t.Context(), "beside", nil); err != nil {
			t.Fatal(err)
		}
	}
	// Even without the object: the listing has passed its name.
	if got := b.list(t, "", nil); got != "beside f0 f1 f2 f3 f4" {
		t.Errorf("after all that: %q", got)
	}
}

// Nothing that fails, or was not there, makes anything absent.
func TestNeverAbsentByItself(t *testing.T) {
	for name, opts := range settings(t) {
		t.Run(name, func(t *testing.T) {
			opts.BlockBytes = block
			b := newBench(t, opts)
			data := content(3*block, 1)
			if _, err := b.ReadFile(t.Context(), "a"); fault.KindOf(err) != fault.NotExist {
				t.Errorf("%v, want NotExist", err)
			}
			b.list(t, "", nil)
			b.write(t, "a", data) // behind the listing's back
			b.want(t, "a", 0, -1, data)
			if err := b.below.Remove(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			b.write(t, "b", data)
			for _, op := range []string{"stat", "open", "read", "list"} {
				b.rules.Add(&faultfs.Rule{Op: op, Err: down()})
			}
			_, serr := b.Stat(t.Context(), "b")
			_, oerr := b.ReadFile(t.Context(), "b")
			for _, err := range []error{serr, oerr} {
				if fault.KindOf(err) != fault.Unavailable {
					t.Errorf("while the store is down: %v", err)
				}
			}
			b.rules.Clear()
			b.want(t, "b", 0, -1, data)
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	b := newBench(t, cachefs.Options{MemoryBytes: 10 * block, Revalidate: cachefs.Forever})
	data := content(30*block, 1)
	b.write(t, "a", data)
	b.want(t, "a", 0, -1, data)
	opens, _ := b.calls(func() { b.want(t, "a", 20*block, 10*block, data[20*block:]) })
	if opens != 0 {
		t.Errorf("the last ten blocks took %d requests", opens)
	}
	opens, _ = b.calls(func() { b.want(t, "a", 0, block, data[:block]) })
	if opens != 1 {
		t.Error("the first block is still there")
	}
}

func TestMemoryAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, cachefs.Options{MaxAge: time.Hour, Revalidate: cachefs.Forever})
		data := content(block, 1)
		b.write(t, "a", data)
		for _, want := range []int{1, 0, 1} {
			opens, _ := b.calls(func() { b.want(t, "a", 0, -1, data) })
			if opens != want {
				t.Errorf("%d requests, want %d", opens, want)
			}
			time.Sleep(40 * time.Minute) // in the bubble of synctest
		}
	})
}

func TestOptionsRefused(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]cachefs.Options{
		"no store": {Dir: t.TempDir()}, "whole without dir": {WholeBytes: 1}, "tiny blocks": {BlockBytes: 100},
		"negative blocks": {BlockBytes: -1}, "negative age": {Revalidate: -time.Minute}, "no directory": {Dir: file, Store: "s"},
	} {
		if _, err := cachefs.New(memfs.New(), &opts); err == nil || !strings.Contains(err.Error(), "cache") {
			t.Errorf("%s: %v, want an error", name, err)
		}
	}
}

// Closed is closed, however much is in the cache.
func TestClosed(t *testing.T) {
	b := newBench(t, cachefs.Options{Revalidate: cachefs.Forever, ListTTL: time.Hour})
	b.write(t, "a", content(block, 1))
	b.want(t, "a", 0, 1, content(1, 1))
	b.list(t, "", nil)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ReadFile(t.Context(), "a"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("read: %v", err)
	}
	if got := b.list(t, "", nil); got != "error: invalid request" {
		t.Errorf("list: %s", got)
	}
}
