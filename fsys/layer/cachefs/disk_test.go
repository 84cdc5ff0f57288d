package cachefs_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/layer/cachefs"
	"github.com/leat-dev/leat/fsys/layer/faultfs"
)

// diskOnly are options under which all that is kept is on disk.
func diskOnly(t *testing.T, whole bool) cachefs.Options {
	o := cachefs.Options{Dir: t.TempDir(), MemoryBytes: -1, Revalidate: cachefs.Forever}
	if whole {
		o.WholeBytes = 1 << 30
	}
	return o
}

// dataFiles lists the finished files of a cache.
func dataFiles(t *testing.T, dir string) []string { return files(t, filepath.Join(dir, "data")) }

func eachMode(t *testing.T, test func(t *testing.T, whole bool)) {
	t.Run("blocks", func(t *testing.T) { test(t, false) })
	t.Run("whole", func(t *testing.T) { test(t, true) })
}

// What one process kept, the next has, without a request for data.
func TestDiskOutlivesTheProcess(t *testing.T) {
	eachMode(t, func(t *testing.T, whole bool) {
		opts, mem := diskOnly(t, whole), memfs.New()
		want := content(200_000, 1)
		first := benchOver(t, mem, opts)
		first.write(t, "a", want)
		first.want(t, "a", 0, -1, want)
		for _, revalidate := range []time.Duration{0, time.Hour, cachefs.Forever} {
			opts.Revalidate = revalidate
			next := benchOver(t, mem, opts)
			next.rules.Add(&faultfs.Rule{Op: "open", Err: down()})
			if revalidate != 0 { // then not even the version is asked for
				next.rules.Add(&faultfs.Rule{Op: "stat", Err: down()})
			}
			next.want(t, "a", 0, -1, want)
			next.want(t, "a", -77_777, 1000, want[len(want)-77_777:][:1000])
		}
		opts.Revalidate = 0
		last := benchOver(t, mem, opts)
		last.write(t, "a", content(200_000, 2)) // another version, which is not there
		last.want(t, "a", 0, -1, content(200_000, 2))
	})
}

// What the store said is trusted for as long as the options say, whichever
// process asked; own writes and what turns out wrong end that.
func TestRecordsOfVersions(t *testing.T) {
	eachMode(t, func(t *testing.T, whole bool) {
		opts, mem := diskOnly(t, whole), memfs.New()
		old, data := content(200_000, 1), content(150_000, 2)
		b := benchOver(t, mem, opts)
		b.write(t, "a", old)
		b.want(t, "a", 0, -1, old)
		b.write(t, "a", data) // behind its back
		benchOver(t, mem, opts).want(t, "a", 0, -1, old)
		opts.Revalidate = time.Nanosecond
		benchOver(t, mem, opts).want(t, "a", 0, -1, data)
		opts.Revalidate = cachefs.Forever
		if _, err := benchOver(t, mem, opts).WriteFile(t.Context(), "a", old[:777]); err != nil {
			t.Fatal(err)
		}
		benchOver(t, mem, opts).want(t, "a", 0, -1, old[:777])
		// A version that is neither at the store nor on disk any more.
		b.write(t, "a", data)
		for _, name := range dataFiles(t, opts.Dir) {
			if info, err := os.Stat(name); err == nil && info.Size() > 500 {
				if err := os.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
		}
		benchOver(t, mem, opts).want(t, "a", 0, -1, data)
		e, err := benchOver(t, mem, opts).Stat(t.Context(), "a")
		if err != nil || e.Size != int64(len(data)) || e.ModTime.IsZero() || e.Version == "" {
			t.Errorf("the record says %+v, %v", e, err)
		}
	})
}

// Looking at many objects does not write a file for each.
func TestStatWritesNothing(t *testing.T) {
	opts := diskOnly(t, true)
	b := newBench(t, opts)
	b.write(t, "a", nil)
	if _, err := b.Stat(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got := files(t, opts.Dir); len(got) > 0 {
		t.Errorf("Stat wrote %q", got)
	}
}

// Stores that share a directory, and paths and versions that look alike when
// joined, do not share data.
func TestKeysAreDistinct(t *testing.T) {
	dir := t.TempDir()
	for i, c := range []struct{ store, path string }{{"s", "xy"}, {"sx", "y"}, {"s", "x"}, {"t", "xy"}, {"s", "xy\x00"}} {
		mem := memfs.New()
		want := content(2*block, byte(i))
		if _, err := fsys.New(mem, "").WriteFile(t.Context(), c.path, want); err != nil {
			t.Fatal(err)
		}
		drv, err := cachefs.New(mem, &cachefs.Options{Dir: dir, Store: c.store, BlockBytes: block})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readAll(t, drv, c.path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %v; %s", c, err, firstDifference(got, want))
		}
	}
}

// A file that was damaged in any way is noticed, removed and fetched again.
func TestDamagedFiles(t *testing.T) {
	eachMode(t, func(t *testing.T, whole bool) {
		opts, mem := diskOnly(t, whole), memfs.New()
		opts.Revalidate = 0 // no file but that of the data
		want := content(block-100, 1)
		if whole {
			want = content(3*(64<<10)-100, 1)
		}
		if _, err := fsys.New(mem, "").WriteFile(t.Context(), "a", want); err != nil {
			t.Fatal(err)
		}
		benchOver(t, mem, opts).want(t, "a", 0, -1, want)
		names := dataFiles(t, opts.Dir)
		if len(names) != 1 {
			t.Fatalf("the cache has %q", names)
		}
		sound, err := os.ReadFile(names[0])
		if err != nil {
			t.Fatal(err)
		}
		var damaged [][]byte
		for at := 0; at < len(sound); at += 1 + (len(sound)-100)/50*min(1, max(0, len(sound)-100-at)) {
			d := bytes.Clone(sound)
			d[at] ^= 0x10
			damaged = append(damaged, d)
		}
		zeros := bytes.Clone(sound)
		clear(zeros[100:])
		damaged = append(damaged, nil, sound[:len(sound)-1], sound[:len(sound)/2], append(bytes.Clone(sound), 0), zeros,
			make([]byte, len(sound)), slices.Concat(sound[:10], sound[11:], sound[10:11]))
		for i, d := range damaged {
			if err := os.WriteFile(names[0], d, 0o600); err != nil {
				t.Fatal(err)
			}
			b := benchOver(t, mem, opts)
			b.want(t, "a", 0, -1, want)
			// What of a whole object is broken comes in blocks, which stay too.
			if b.stats.Corrupt.Load() == 0 || !whole && b.stats.Requests.Load() == 0 {
				t.Errorf("damage %d was not noticed", i)
			}
			b.want(t, "a", 0, -1, want)
			if again, err := os.ReadFile(names[0]); !whole && (err != nil || len(again) != len(sound)) {
				t.Errorf("damage %d was not repaired: %d bytes, %v", i, len(again), err)
			}
		}
	})
}

// A file of another object in the place of one is noticed too.
func TestSwappedFiles(t *testing.T) {
	opts, mem := diskOnly(t, false), memfs.New()
	opts.Revalidate = 0 // no files but those of the data
	b := benchOver(t, mem, opts)
	one, two := content(block, 1), content(block, 2)
	b.write(t, "one", one)
	b.write(t, "two", two)
	b.want(t, "one", 0, -1, one)
	b.want(t, "two", 0, -1, two)
	names := dataFiles(t, opts.Dir)
	if len(names) != 2 {
		t.Fatalf("the cache has %q", names)
	}
	if err := os.Rename(names[0], names[1]); err != nil {
		t.Fatal(err)
	}
	b.want(t, "one", 0, -1, one)
	b.want(t, "two", 0, -1, two)
}

// Each step that the disk refuses leaves the reading as it is, and the disk
// without a trace.
func TestDiskFull(t *testing.T) {
	eachMode(t, func(t *testing.T, whole bool) {
		for _, what := range []string{"create", "write", "seal", "rename"} {
			for skip := range 3 {
				opts, mem := diskOnly(t, whole), memfs.New()
				left := skip
				cachefs.SetStep(func(step string) error {
					if step == what {
						if left--; left < 0 {
							return syscall.ENOSPC
						}
					}
					return nil
				})
				b := benchOver(t, mem, opts)
				cachefs.SetStep(nil)
				for i := range byte(4) {
					want := content(150_000, i)
					b.write(t, "a"+string('0'+rune(i)), want)
					b.want(t, "a"+string('0'+rune(i)), 0, -1, want)
				}
				if n := b.stats.DiskErrors.Load(); n != 1 {
					t.Errorf("%s fails after %d: %d disk errors, want 1 and then a rest", what, skip, n)
				}
				if left := files(t, filepath.Join(opts.Dir, "tmp")); len(left) > 0 {
					t.Errorf("%s fails after %d: %q is left", what, skip, left)
				}
			}
		}
	})
}

// Errors of a real file system: there is no directory to write to.
func TestDiskRefuses(t *testing.T) {
	eachMode(t, func(t *testing.T, whole bool) {
		opts, mem := diskOnly(t, whole), memfs.New()
		b := benchOver(t, mem, opts)
		tmp := filepath.Join(opts.Dir, "tmp")
		if err := os.Remove(tmp); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tmp, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		want := content(150_000, 1)
		b.write(t, "a", want)
		b.want(t, "a", 0, -1, want)
		if b.stats.DiskErrors.Load() != 1 {
			t.Errorf("%d disk errors counted, want 1", b.stats.DiskErrors.Load())
		}
	})
}

// Somebody removes everything while the cache is in use.
func TestDirectoryVanishes(t *testing.T) {
	eachMode(t, func(t *testing.T, whole bool) {
		opts, mem := diskOnly(t, whole), memfs.New()
		b := benchOver(t, mem, opts)
		want := content(150_000, 1)
		b.write(t, "a", want)
		r, err := b.Open(t.Context(), "a", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := os.RemoveAll(opts.Dir); err != nil {
			t.Fatal(err)
		}
		b.want(t, "a", 0, -1, want)
		got := make([]byte, len(want))
		for n := 0; n < len(got); {
			m, err := r.Read(got[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += m
		}
		if !bytes.Equal(got, want) {
			t.Error(firstDifference(got, want))
		}
	})
}

func TestDiskIsBounded(t *testing.T) {
	eachMode(t, func(t *testing.T, whole bool) {
		const limit = 1 << 20
		opts, mem := diskOnly(t, whole), memfs.New()
		opts.DiskBytes = limit
		b := benchOver(t, mem, opts)
		keep := content(5*block, 99)
		b.write(t, "keep", keep)
		for i := range 60 {
			name := "a" + strings.Repeat("x", i)
			b.write(t, name, content(12*block, byte(i)))
			b.want(t, name, 0, -1, content(12*block, byte(i)))
			b.want(t, "keep", 0, -1, keep)
			for _, f := range dataFiles(t, opts.Dir) { // time passes
				if info, err := os.Stat(f); err == nil {
					at := info.ModTime().Add(-2 * time.Minute)
					_ = os.Chtimes(f, at, at)
				}
			}
			if use := diskUse(t, opts.Dir); use > limit+limit/16+13*block {
				t.Fatalf("%d bytes on disk, %d allowed", use, limit)
			}
		}
		if b.stats.Evicted.Load() == 0 {
			t.Error("nothing was evicted")
		}
		fetched := b.stats.FetchedBytes.Load()
		b.want(t, "keep", 0, -1, keep)
		if b.stats.FetchedBytes.Load() != fetched {
			t.Error("what was used all the time is gone")
		}
	})
}

// The next process evicts what the last one left over.
func TestDiskIsBoundedByTheNextProcess(t *testing.T) {
	opts, mem := diskOnly(t, false), memfs.New()
	b := benchOver(t, mem, opts)
	want := content(100*block, 1)
	b.write(t, "a", want)
	b.want(t, "a", 0, -1, want)
	if err := os.Remove(filepath.Join(opts.Dir, "clean")); err != nil {
		t.Fatal(err)
	}
	opts.DiskBytes = 20 * block
	next := benchOver(t, mem, opts)
	next.write(t, "b", want[:block])
	next.want(t, "b", 0, -1, want[:block])
	if use := diskUse(t, opts.Dir); use > opts.DiskBytes {
		t.Errorf("%d bytes on disk, %d allowed", use, opts.DiskBytes)
	}
}

func TestDiskAge(t *testing.T) {
	eachMode(t, func(t *testing.T, whole bool) {
		opts, mem := diskOnly(t, whole), memfs.New()
		want := content(block, 1)
		b := benchOver(t, mem, opts)
		b.write(t, "a", want)
		b.want(t, "a", 0, -1, want)
		opts.MaxAge = 1 // a nanosecond
		old := benchOver(t, mem, opts)
		old.want(t, "a", 0, -1, want)
		if old.stats.DiskHits.Load() != 0 || old.stats.Evicted.Load() == 0 {
			t.Errorf("old data was used %d times, %d evicted", old.stats.DiskHits.Load(), old.stats.Evicted.Load())
		}
	})
}

// Unfinished files of this process, which are in use, are left alone by those
// who clean up.
func TestCleaningLeavesFilesInUse(t *testing.T) {
	opts, mem := diskOnly(t, true), memfs.New()
	want := content(200_000, 1)
	if _, err := fsys.New(mem, "").WriteFile(t.Context(), "a", want); err != nil {
		t.Fatal(err)
	}
	drv, _ := faultfs.New(mem)
	h := &halting{FS: drv, at: 100_000, reached: make(chan struct{}), on: make(chan struct{})}
	b := benchOver(t, h, opts)
	b.below = fsys.New(mem, "mem://t")
	done := make(chan struct{})
	go func() { // owner: this test, which waits for done
		defer close(done)
		b.want(t, "a", 0, -1, want)
	}()
	<-h.reached
	stray := filepath.Join(opts.Dir, "tmp", "stray") // of a process that is gone
	if err := os.WriteFile(stray, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(opts.Dir, "clean")); err != nil {
		t.Fatal(err)
	}
	other := benchOver(t, mem, opts)
	other.write(t, "b", want)
	other.want(t, "b", 0, -1, want)
	if left := files(t, filepath.Join(opts.Dir, "tmp")); len(left) != 1 || left[0] == stray {
		t.Errorf("cleaning left %q, want the one file in use", left)
	}
	close(h.on)
	<-done
	again := benchOver(t, mem, opts)
	again.want(t, "a", 0, -1, want)
	if again.stats.DiskHits.Load() != 1 {
		t.Error("the object that was being fetched is not on disk")
	}
}

// Who waits for another that fetches the object leaves with its context.
func TestWaitForAnotherProcessEnds(t *testing.T) {
	opts, mem := diskOnly(t, true), memfs.New()
	want := content(200_000, 1)
	if _, err := fsys.New(mem, "").WriteFile(t.Context(), "a", want); err != nil {
		t.Fatal(err)
	}
	h := &halting{FS: mem, at: 100_000, reached: make(chan struct{}), on: make(chan struct{})}
	slow, other := benchOver(t, h, opts), benchOver(t, mem, opts)
	done := make(chan struct{})
	go func() { // owner: this test, which waits for done
		defer close(done)
		slow.want(t, "a", 0, -1, want)
	}()
	<-h.reached
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := other.ReadFile(ctx, "a"); fault.KindOf(err) != fault.Timeout {
		t.Errorf("%v, want Timeout", err)
	}
	close(h.on)
	<-done
	other.want(t, "a", 0, -1, want)
	if n := other.stats.Requests.Load(); n != 0 {
		t.Errorf("the other fetched it %d times", n)
	}
}
