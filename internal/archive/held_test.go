package archive_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// A change that no read meets is noticed after a while.
func TestHeldNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		fs := fsys.New(memfs.New(), "mem://t")
		put := func(text string) {
			if _, err := fs.WriteFile(ctx, "x", []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		var dropped []string
		put("one")
		h, err := archive.Hold(ctx, func(ctx context.Context) (string, archive.Origin, error) {
			src, tail, err := archive.OpenTail(ctx, fs, "x", 100)
			return string(tail), src, err
		}, func(s string) { dropped = append(dropped, s) })
		if err != nil {
			t.Fatal(err)
		}
		want := func(want string, kind fault.Kind) {
			t.Helper()
			if got, err := h.Get(ctx, "stat", "p"); got != want || fault.KindOf(err) != kind {
				t.Errorf("Get = %q, %v, want %q, %v", got, err, want, kind)
			}
		}
		put("two")
		want("one", fault.None)
		time.Sleep(archive.Recheck)
		want("two", fault.None)
		time.Sleep(archive.Recheck)
		want("two", fault.None)
		if err := fs.Remove(ctx, "x"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(archive.Recheck)
		want("", fault.Changed)
		put("three")
		want("three", fault.None)
		h.Close()
		want("", fault.Invalid)
		if !slices.Equal(dropped, []string{"one", "two", "three"}) {
			t.Errorf("dropped %q", dropped)
		}
	})
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "a/b": true, "...": true, "a//b": true, "-\n\xff": true, "a\\..\\b": true,
		"": false, "/a": false, "a/": false, "..": false, "a/..": false, "./a": false, "a/./b": false, "a\x00": false,
	} {
		if err := archive.CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"a": "a", "./a": "a", "././/a": "a", "a/": "a dir", "./": " dir", ".": " dir", "./d//": "d dir", "../a": "../a", "a/./b": "a/./b", "/a": "/a",
	} {
		got, dir := archive.CleanMember(name)
		if dir {
			got += " dir"
		}
		if got != want {
			t.Errorf("CleanMember(%q) = %q, want %q", name, got, want)
		}
	}
}

// FuzzIndex compares listings with the definition.
func FuzzIndex(f *testing.F) {
	f.Add("a\nd/x\nd-\nd/\nd//y\nd0", "d", "", "d/x", false)
	f.Add("a/b/c\na/b\na/bc/d\na", "a", "b", "", true)
	f.Fuzz(func(t *testing.T, names, dir, prefix, after string, recursive bool) {
		var items []archive.Item[int]
		all := map[string]driver.Kind{} // by key
		start := 0
		for i := 0; i <= len(names); i++ {
			if i < len(names) && names[i] != '\n' {
				continue
			}
			path, isDir := archive.CleanMember(names[start:i])
			start = i + 1
			if archive.CheckName(path) != nil {
				continue
			}
			e := driver.Entry{Path: path, Kind: driver.File}
			if isDir {
				e.Kind = driver.Dir
				all[path+"/"] = driver.Dir
			} else {
				all[path] = driver.File
			}
			for j := 1; j < len(path); j++ {
				if path[j] == '/' {
					all[path[:j]+"/"] = driver.Dir
				}
			}
			items = append(items, archive.Item[int]{Entry: e})
		}
		x, err := archive.Build(items, 1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		if x.Len() != len(all) {
			t.Fatalf("%d items, want %d", x.Len(), len(all))
		}
		var want, got []string
		base := ""
		if dir != "" {
			base = dir + "/"
		}
		for key, kind := range all {
			path := key
			if kind == driver.Dir {
				path = key[:len(key)-1]
			}
			if len(path) < len(base+prefix) || path[:len(base+prefix)] != base+prefix || key <= after || path == dir {
				continue
			}
			if !recursive {
				below := path[len(base):]
				if i := slices.Index([]byte(below), '/'); i >= 0 && i < len(below) && !(kind == driver.Dir && i == len(below)) {
					continue
				}
			}
			want = append(want, key)
		}
		slices.Sort(want)
		for e, err := range x.List(context.Background(), dir, driver.ListOptions{Prefix: prefix, After: after, Recursive: recursive}) {
			if err != nil {
				if fault.KindOf(err) != fault.NotExist || all[base] == driver.Dir {
					t.Fatal(err)
				}
				return
			}
			key := e.Path
			if e.Kind == driver.Dir {
				key += "/"
			}
			got = append(got, key)
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("list %q prefix %q after %q recursive %v of %q\n got %q\nwant %q", dir, prefix, after, recursive, names, got, want)
		}
	})
}
