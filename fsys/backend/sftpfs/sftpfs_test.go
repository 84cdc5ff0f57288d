package sftpfs_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/sftpfs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/fsys/layer/prefixfs"
	"github.com/leat-dev/leat/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func options(s *testenv.SFTPServer) *sftpfs.Options {
	return &sftpfs.Options{KnownHosts: []string{s.KnownHosts}, IdentityFiles: []string{s.Identity}, AgentSocket: "none"}
}

func open(t *testing.T, url string, opts *sftpfs.Options) *sftpfs.FS {
	t.Helper()
	f, err := sftpfs.Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// within shows one folder of the server as a store of its own.
func within(t *testing.T, f driver.FS, dir string) driver.FS {
	t.Helper()
	p, err := prefixfs.New(f, dir[1:], nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func bad(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return true
		}
	}
	return false
}

func TestConformance(t *testing.T) {
	s := testenv.SFTP(t)
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		dir := t.TempDir()
		f := open(t, s.URL, options(s))
		return drivertest.Harness{
			FS: within(t, f, dir), Dirs: true, BadName: bad,
			Leftovers: func(t *testing.T) []string { return temps(t, dir) },
		}
	})
}

// temps returns the temporary files below dir.
func temps(t *testing.T, dir string) []string {
	t.Helper()
	var left []string
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(name), ".leat-tmp-") {
			left = append(left, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func TestMux(t *testing.T) {
	s := testenv.SFTP(t)
	dir := t.TempDir()
	m := fsys.NewMux(map[string]fsys.Backend{"sftp": sftpfs.Backend(options(s))})
	defer m.Close()
	f, path, err := m.Resolve(t.Context(), s.URL+dir+"/a b/x#?%.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteFile(t.Context(), path, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(dir + "/a b/x#?%.txt"); err != nil || string(got) != "hello" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	n := 0
	for match, err := range m.Glob(t.Context(), s.URL+dir+"/*/*.txt", nil) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; match.URL != s.URL+dir+"/a b/x#?%.txt" {
			t.Errorf("found %q", match.URL)
		}
	}
	if n != 1 {
		t.Errorf("%d matches", n)
	}
}

// Links are followed, what is neither file nor directory is not opened.
func TestKinds(t *testing.T) {
	s := testenv.SFTP(t)
	dir := t.TempDir()
	for _, link := range [][2]string{{"d/file", "to file"}, {"d", "to dir"}, {"nowhere", "dangling"}, {"loop", "loop"}} {
		if err := os.Symlink(link[0], filepath.Join(dir, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "d/file"), []byte("12345"), 0o644); err != nil {
		t.Fatal(err)
	}
	sock, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	f := open(t, s.URL, options(s))
	want := map[string]driver.Kind{"d": driver.Dir, "to dir": driver.Dir, "to file": driver.File, "dangling": driver.Other, "loop": driver.Other, "sock": driver.Other}
	n := 0
	for e, err := range f.List(t.Context(), dir[1:], driver.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		name := filepath.Base(e.Path)
		st, err := f.Stat(t.Context(), e.Path)
		if e.Kind != want[name] || err != nil || st.Kind != e.Kind || st.Size != e.Size {
			t.Errorf("%s is listed as %+v, by itself %+v, %v", name, e, st, err)
		}
	}
	if n != len(want) {
		t.Errorf("%d entries, want %d", n, len(want))
	}
	if _, err := f.Open(t.Context(), dir[1:]+"/sock", driver.OpenOptions{}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("open of a socket: %v", err)
	}
	if got, err := fsys.New(f, "").ReadFile(t.Context(), dir[1:]+"/to file"); err != nil || string(got) != "12345" {
		t.Errorf("read through a link: %q, %v", got, err)
	}
}

func TestRefusesToConnect(t *testing.T) {
	s, other := testenv.SFTP(t), testenv.SFTP(t)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile(other.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	// The right address with the key of another server.
	forged := filepath.Join(t.TempDir(), "forged")
	_, key, _ := strings.Cut(string(known), " ")
	addr := s.URL[strings.LastIndexByte(s.URL, ':')+1:]
	if err := os.WriteFile(forged, []byte("[127.0.0.1]:"+addr+" "+key), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		url  string
		opts sftpfs.Options
		kind fault.Kind
		text string
	}{
		"unknown host": {s.URL, sftpfs.Options{KnownHosts: []string{empty}, IdentityFiles: []string{s.Identity}}, fault.Permission, "not in a known-hosts file"},
		"changed host": {s.URL, sftpfs.Options{KnownHosts: []string{forged}, IdentityFiles: []string{s.Identity}}, fault.Permission, "not the one in"},
		"wrong key":    {s.URL, sftpfs.Options{KnownHosts: []string{s.KnownHosts}, IdentityFiles: []string{other.Identity}}, fault.Permission, "unable to authenticate"},
		"no key":       {s.URL, sftpfs.Options{KnownHosts: []string{s.KnownHosts}, IdentityFiles: []string{}}, fault.Permission, "LEAT_SFTP_PASSWORD"},
		"no key file":  {s.URL, sftpfs.Options{KnownHosts: []string{s.KnownHosts}, IdentityFiles: []string{empty + "x"}}, fault.Permission, "emptyx"},
		"nobody there": {"sftp://x@127.0.0.1:9", sftpfs.Options{KnownHosts: []string{s.KnownHosts}, IdentityFiles: []string{s.Identity}}, fault.Unavailable, "refused"},
	} {
		c.opts.AgentSocket = "none"
		f := open(t, c.url, &c.opts)
		_, err := f.Stat(t.Context(), "x")
		if fault.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.text) {
			t.Errorf("%s: %v, want %v and %q", name, err, c.kind, c.text)
		}
	}
}

// A proxy breaks connections when told to.
type proxy struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	wg    sync.WaitGroup
	to    string
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, to: to}
	p.wg.Go(p.serve) // owner: the proxy, which closes and waits
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) serve() {
	for {
		a, err := p.Accept()
		if err != nil {
			return
		}
		b, err := net.Dial("tcp", p.to)
		if err != nil {
			a.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, a, b)
		p.mu.Unlock()
		for _, d := range [][2]net.Conn{{a, b}, {b, a}} {
			p.wg.Go(func() { // owner: the proxy, which closes and waits
				_, _ = io.Copy(d[0], d[1])
				d[0].Close()
			})
		}
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// A connection that breaks fails what uses it, as temporary, and is replaced.
func TestReconnects(t *testing.T) {
	s := testenv.SFTP(t)
	server := s.URL[strings.LastIndexByte(s.URL, '@')+1:]
	p := newProxy(t, server)
	known, err := os.ReadFile(s.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(string(known), " ")
	host := p.Addr().String()
	if err := os.WriteFile(s.KnownHosts, []byte("["+host[:strings.LastIndexByte(host, ':')]+"]"+host[strings.LastIndexByte(host, ':'):]+" "+key), 0o600); err != nil {
		t.Fatal(err)
	}
	user := s.URL[len("sftp://"):strings.LastIndexByte(s.URL, '@')]
	dir := t.TempDir()
	data := bytes.Repeat([]byte("0123456789"), 1<<20)
	if err := os.WriteFile(dir+"/large", data, 0o644); err != nil {
		t.Fatal(err)
	}
	f := open(t, "sftp://"+user+"@"+host, options(s))
	r, err := f.Open(t.Context(), dir[1:]+"/large", driver.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := f.Create(t.Context(), dir[1:]+"/new", driver.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	p.cut()
	if n, err := io.Copy(io.Discard, r); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("read %d bytes, %v, want Unavailable", n, err)
	}
	if _, err := w.Commit(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("commit: %v, want Unavailable", err)
	}
	// The failures above have shown that the connection is broken.
	if _, err := f.Stat(t.Context(), dir[1:]+"/large"); err != nil {
		t.Errorf("no new connection: %v", err)
	}
	if _, err := f.Stat(t.Context(), dir[1:]+"/new"); fault.KindOf(err) != fault.NotExist {
		t.Errorf("a part of a file was published: %v", err)
	}
}

// Many calls at once share few connections.
func TestManyAtOnce(t *testing.T) {
	s := testenv.SFTP(t)

	dir := t.TempDir()
	f := fsys.New(open(t, s.URL, options(s)), s.URL)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() { // owner: this test, which waits
			path := fmt.Sprintf("%s/d%d/%d", dir[1:], i%7, i)
			if _, err := f.WriteFile(t.Context(), path, []byte(path)); err != nil {
				t.Error(err)
			}
			if got, err := f.ReadFile(t.Context(), path); err != nil || string(got) != path {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	wg.Wait()
	if left := temps(t, dir); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestSplit(t *testing.T) {
	for url, want := range map[string][2]string{
		"sftp://host": {"sftp://host", ""}, "SFTP://Me@HOST:22/a/b": {"sftp://Me@host", "a/b"}, "sftp://h:2222/a b%20#?": {"sftp://h:2222", "a b%20#?"},
		"sftp://[::1]/x": {"sftp://[::1]", "x"}, "sftp://[::1]:23//x": {"sftp://[::1]:23", "/x"}, "sftp://a@b@host/\xff": {"sftp://a@b@host", "\xff"},
	} {
		root, path, err := sftpfs.Split(url, false)
		if err != nil || root != want[0] || path != want[1] {
			t.Errorf("Split(%q) = %q, %q, %v", url, root, path, err)
		}
		again, p2, err := sftpfs.Split(root+"/"+path, false)
		if err != nil || again != root || p2 != path {
			t.Errorf("Split of the joined %q = %q, %q, %v", root+"/"+path, again, p2, err)
		}
	}
	for _, url := range []string{"http://h/x", "sftp://", "sftp:///x", "sftp://@h/x", "sftp://h:x/", "sftp://h:0/", "sftp://h:70000/", "sftp://[::1/", "sftp://a b/", "sftp://u:secret@h/x"} {
		if root, _, err := sftpfs.Split(url, false); fault.KindOf(err) != fault.Invalid || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("Split(%q) = %q, %v", url, root, err)
		}
	}
}
