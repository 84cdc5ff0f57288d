package gitfs_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/gitfs"
	"github.com/leat-dev/leat/fsys/backend/localfs"
	"github.com/leat-dev/leat/fsys/backend/memfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/internal/archive"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// git runs a command in a repository and returns its output.
func git(t testing.TB, dir, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// newRepo makes a repository with one empty commit on the branch main.
func newRepo(t testing.TB, bare bool) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"init", "-q", "-b", "main"}
	if bare {
		args = append(args, "--bare")
	}
	git(t, dir, "", args...)
	commit(t, dir, nil)
	return dir
}

// commit puts files, and lines for git fast-import beside them, on main.
func commit(t testing.TB, dir string, files map[string][]byte, lines ...string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("commit refs/heads/main\ncommitter T <t@example.org> 1700000000 +0000\ndata 0\n")
	if refs := git(t, dir, "", "for-each-ref"); refs != "" {
		b.WriteString("from refs/heads/main^0\ndeleteall\n")
	}
	for path, data := range files {
		fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", quote(path), len(data), data)
	}
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	git(t, dir, b.String()+"\n", "fast-import", "--quiet", "--force")
}

// quote writes a name as git fast-import reads it.
func quote(path string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(path) {
		fmt.Fprintf(&b, "\\%03o", c)
	}
	return b.String() + `"`
}

// opened is the commit of the moment; seeding makes a new one.
type opened struct{ driver.FS }

// bad are names that git does not take.
func bad(path string) bool {
	return archive.CheckName(path) != nil || strings.Contains(path, "//")
}

func open(t *testing.T, dir string, opts *gitfs.Options) *gitfs.FS {
	t.Helper()
	f, err := gitfs.Open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestConformance(t *testing.T) {
	for _, bare := range []bool{true, false} {
		t.Run(fmt.Sprint("bare ", bare), func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) drivertest.Harness {
				dir := newRepo(t, bare)
				files, o := map[string][]byte{}, &opened{}
				seed := func(t *testing.T, more map[string][]byte) {
					maps.Copy(files, more)
					commit(t, dir, files)
					if bare { // all in packs
						git(t, dir, "", "repack", "-q", "-a", "-d")
					}
					o.FS = open(t, dir, nil)
				}
				seed(t, nil)
				return drivertest.Harness{FS: o, ReadOnly: true, Dirs: true, BadName: bad, Seed: seed}
			})
		})
	}
}

// Through a mux, at several revisions.
func TestChain(t *testing.T) {
	dir := newRepo(t, false)
	commit(t, dir, map[string][]byte{"d/a.txt": []byte("one")})
	git(t, dir, "", "tag", "v1")
	commit(t, dir, map[string][]byte{"d/a.txt": []byte("two"), "d/b.txt": nil})
	hash := git(t, dir, "", "rev-parse", "main")
	local := localfs.Backend(nil)
	m := fsys.NewMux(map[string]fsys.Backend{"": local, "mem": memfs.Backend(), "git": gitfs.Backend(nil)})
	defer m.Close()
	for url, want := range map[string]string{
		"git,rev=v1://d/a.txt::" + dir: "one", "git://d/a.txt::" + dir: "two", "git,rev=main^://d/a.txt::" + dir: "one",
		"git,rev=" + hash + "://d/a.txt::" + dir: "two",
	} {
		f, path, err := m.Resolve(t.Context(), url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if got, err := f.ReadFile(t.Context(), path); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", url, got, err)
		}
	}
	n := 0
	for match, err := range m.Glob(t.Context(), "git://**/*.txt::"+dir, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; len(match.Entry.Version) != 40 || match.Entry.ModTime.Unix() != 1_700_000_000 {
			t.Errorf("%+v", match.Entry)
		}
	}
	if n != 2 {
		t.Errorf("%d matches, want 2", n)
	}
	for url, kind := range map[string]fault.Kind{
		"git,rev=absent::" + dir: fault.NotExist, "git,rev=--help::" + dir: fault.Invalid, "git,x=y::" + dir: fault.Invalid,
		"git::" + dir + "/absent": fault.NotExist, "git::" + t.TempDir(): fault.Invalid, "git::mem://x/y": fault.Unsupported,
		"git,rev=HEAD%3Ad::" + dir: fault.NotExist,
	} {
		if _, _, err := m.Resolve(t.Context(), url); fault.KindOf(err) != kind {
			t.Errorf("%s: %v, want %v", url, err, kind)
		}
	}
}

func TestKinds(t *testing.T) {
	dir := newRepo(t, true)
	commit(t, dir, map[string][]byte{"d/file": []byte("x")}, "M 120000 inline link\ndata 6\nd/file", "M 160000 0123456789012345678901234567890123456789 sub", "M 100755 inline run\ndata 2\n#!")
	f := open(t, dir, nil)
	for path, kind := range map[string]driver.Kind{"d": driver.Dir, "d/file": driver.File, "run": driver.File, "link": driver.Other, "sub": driver.Other} {
		e, err := f.Stat(t.Context(), path)
		if err != nil || e.Kind != kind {
			t.Errorf("%s is a %v, %v", path, e.Kind, err)
		}
		if _, err := f.Open(t.Context(), path, driver.OpenOptions{}); kind == driver.Other && fault.KindOf(err) != fault.Refused {
			t.Errorf("open %s: %v, want Refused", path, err)
		}
	}
}

// Many readers of small and large files share a few processes.
func TestManyAtOnce(t *testing.T) {
	dir := newRepo(t, true)
	files := map[string][]byte{}
	for i := range 60 {
		files[fmt.Sprint("small", i)] = bytes.Repeat([]byte{byte(i)}, i*100)
	}
	for i := range 4 {
		files[fmt.Sprint("large", i)] = bytes.Repeat([]byte{byte(i), 1, 2}, 1<<20)
	}
	commit(t, dir, files)
	f := open(t, dir, nil)
	var wg sync.WaitGroup
	for path, want := range files {
		wg.Go(func() { // owner: this test, which waits
			for range 2 {
				if got, err := fsys.New(f, "").ReadFile(t.Context(), path); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes, %v", path, len(got), err)
				}
			}
		})
	}
	wg.Wait()
}

// A broken repository is an error about it, never an absent file.
func TestBroken(t *testing.T) {
	dir := newRepo(t, false)
	commit(t, dir, map[string][]byte{"x": []byte("some content"), "y": nil})
	f := open(t, dir, nil)
	hash := git(t, dir, "", "rev-parse", "main:x")
	if err := os.Remove(filepath.Join(dir, ".git/objects", hash[:2], hash[2:])); err != nil {
		t.Fatal(err)
	}
	if _, err := fsys.New(f, "").ReadFile(t.Context(), "x"); fault.KindOf(err) != fault.Corrupt {
		t.Errorf("read: %v, want Corrupt", err)
	}
	if _, err := gitfs.Open(t.Context(), dir, nil); fault.KindOf(err) != fault.Corrupt {
		t.Errorf("open: %v, want Corrupt", err)
	}
}
