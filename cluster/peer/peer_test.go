package peer_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/cluster/peer"
	"github.com/leat-dev/leat/fault"
)

const token = "s3cret"

// start serves a store and returns a client for it.
func start(t testing.TB, s *peer.Store) (*peer.Server, *peer.Client) {
	t.Helper()
	srv, err := peer.NewServer(s, &peer.ServerOptions{Token: token, MaxPutBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	c := peer.NewClient(&peer.ClientOptions{Token: token})
	t.Cleanup(func() { c.Close(); srv.Close() })
	return srv, c
}

func TestRoundTrip(t *testing.T) {
	s := newStore(t, peer.StoreOptions{FileBytes: 1 << 10})
	srv, c := start(t, s)
	for i, key := range []string{"k", "a/b?c#d%20", "\x00\n\xff ", strings.Repeat("k", 4096)} {
		for _, size := range []int{0, 1, 1 << 10, 1<<10 + 1, 3 << 20} {
			want := randomBytes(size, uint64(i))
			if err := c.Put(t.Context(), srv.Addr(), key, want); err != nil {
				t.Fatalf("Put of %d bytes: %v", size, err)
			}
			got, err := c.Get(t.Context(), srv.Addr(), key)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("Get of %d bytes: %d bytes, %v", size, len(got), err)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	s := newStore(t, peer.StoreOptions{})
	srv, c := start(t, s)
	s.Put("k", []byte("v"))
	stranger := peer.NewClient(&peer.ClientOptions{Token: "guess"})
	defer stranger.Close()
	nobody := peer.NewClient(nil)
	defer nobody.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	ctx := t.Context()
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	get := func(c *peer.Client, ctx context.Context, addr, key string) error {
		_, err := c.Get(ctx, addr, key)
		return err
	}
	for _, tc := range []struct {
		name string
		err  error
		want fault.Kind
	}{
		{"absent", get(c, ctx, srv.Addr(), "none"), fault.NotExist},
		{"wrong token", get(stranger, ctx, srv.Addr(), "k"), fault.Permission},
		{"no token", get(nobody, ctx, srv.Addr(), "k"), fault.Permission},
		{"put with a wrong token", stranger.Put(ctx, srv.Addr(), "k", nil), fault.Permission},
		{"empty key", get(c, ctx, srv.Addr(), ""), fault.Invalid},
		{"long key", get(c, ctx, srv.Addr(), strings.Repeat("k", 4097)), fault.Invalid},
		{"nobody there", get(c, ctx, closed.Listener.Addr().String(), "k"), fault.Unavailable},
		{"bad address", get(c, ctx, "no port", "k"), fault.Invalid},
		{"canceled", get(c, canceled, srv.Addr(), "k"), fault.Canceled},
		{"too large", c.Put(ctx, srv.Addr(), "large", make([]byte, 65<<20)), fault.Invalid},
	} {
		if k := fault.KindOf(tc.err); k != tc.want {
			t.Errorf("%s: %v (%v), want kind %v", tc.name, tc.err, k, tc.want)
		}
	}
	if _, ok := s.Stat("large"); ok {
		t.Error("a refused value was stored")
	}
	err := get(c, ctx, srv.Addr(), "none")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), srv.Addr()) {
		t.Errorf("the error does not name the peer: %v", err)
	}
}

// do sends a bare request.
func do(t *testing.T, srv *peer.Server, method, path string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+srv.Addr()+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func path(key string) string { return "/v1/o/" + base64.RawURLEncoding.EncodeToString([]byte(key)) }

func TestHTTP(t *testing.T) {
	s := newStore(t, peer.StoreOptions{FileBytes: 100})
	srv, _ := start(t, s)
	large := randomBytes(1000, 5)
	s.Put("large", large)
	s.Put("small", large[:50])
	resp := do(t, srv, "GET", path("large"), nil)
	etag := resp.Header.Get("ETag")
	if sum := fmt.Sprintf("%08x", crc32.Checksum(large, crc32.MakeTable(crc32.Castagnoli))); resp.Header.Get("Leat-Crc32c") != sum {
		t.Errorf("checksum header %q, want %q", resp.Header.Get("Leat-Crc32c"), sum)
	}
	long := base64.RawURLEncoding.EncodeToString(make([]byte, 4097))
	for _, tc := range []struct {
		name, method, path string
		body               string
		header             []string
		status             int
		want               []byte
	}{
		{"range of a file", "GET", path("large"), "", []string{"Range", "bytes=10-19"}, 206, large[10:20]},
		{"range of memory", "GET", path("small"), "", []string{"Range", "bytes=40-"}, 206, large[40:50]},
		{"range past the end", "GET", path("small"), "", []string{"Range", "bytes=50-"}, 416, nil},
		{"the version", "GET", path("large"), "", []string{"If-Match", etag}, 200, large},
		{"another version", "GET", path("large"), "", []string{"If-Match", `"other"`}, 412, nil},
		{"head", "HEAD", path("large"), "", nil, 200, []byte{}},
		{"head of absent", "HEAD", path("none"), "", nil, 404, []byte{}},
		{"key that is no base64", "GET", "/v1/o/***", "", nil, 400, nil},
		{"long key", "GET", "/v1/o/" + long, "", nil, 400, nil},
		{"unknown path", "GET", "/v1/x", "", nil, 404, nil},
		{"unknown method", "DELETE", path("large"), "", nil, 405, nil},
		{"put over", "PUT", path("small"), "x", []string{"If-None-Match", "*"}, 412, nil},
		{"put with a wrong checksum", "PUT", path("put"), "x", []string{"Leat-Crc32c", "00000000"}, 400, nil},
		{"put with a bad checksum", "PUT", path("put"), "x", []string{"Leat-Crc32c", "xyz"}, 400, nil},
		{"fetch cut in a length", "POST", "/v1/fetch", "\x01\x00", nil, 400, nil},
		{"fetch cut in a key", "POST", "/v1/fetch", "\x05\x00\x00\x00k", nil, 400, nil},
		{"fetch of an empty key", "POST", "/v1/fetch", "\x00\x00\x00\x00", nil, 400, nil},
		{"fetch of nothing", "POST", "/v1/fetch", "", nil, 200, []byte{}},
		{"fetch of too many", "POST", "/v1/fetch", strings.Repeat("\x01\x00\x00\x00k", 1025), nil, 400, nil},
		{"fetch of too much", "POST", "/v1/fetch", strings.Repeat("x", 1<<20+1), nil, 413, nil},
	} {
		resp := do(t, srv, tc.method, tc.path, strings.NewReader(tc.body), tc.header...)
		got, err := io.ReadAll(resp.Body)
		if resp.StatusCode != tc.status || err != nil || tc.want != nil && !bytes.Equal(got, tc.want) {
			t.Errorf("%s: %s, %d bytes, %v; want %d, %d bytes", tc.name, resp.Status, len(got), err, tc.status, len(tc.want))
		}
	}
	if _, ok := s.Stat("put"); ok {
		t.Error("a value with a wrong checksum was stored")
	}
}

func TestTruncatedPut(t *testing.T) {
	s := newStore(t, peer.StoreOptions{})
	srv, _ := start(t, s)
	conn, err := net.Dial("tcp", srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\nhalf", path("k"), token)
	conn.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(conn)
	conn.Close()
	if bytes.Contains(answer, []byte(" 204 ")) {
		t.Errorf("answer %q", answer)
	}
	if _, ok := s.Stat("k"); ok {
		t.Error("half a value was stored")
	}
}

func TestListenOpen(t *testing.T) {
	s := newStore(t, peer.StoreOptions{})
	_, err := peer.NewServer(s, &peer.ServerOptions{Listen: "0.0.0.0:0"})
	if fault.KindOf(err) != fault.Refused {
		t.Errorf("an open address without a token: %v", err)
	}
}

func TestOwn(t *testing.T) {
	s := newStore(t, peer.StoreOptions{FileBytes: 100})
	c := peer.NewClient(&peer.ClientOptions{Own: s, OwnAddr: "127.0.0.1:1"})
	defer c.Close()
	want := randomBytes(1000, 6)
	if err := c.Put(t.Context(), "", "k", want); err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"", "127.0.0.1:1"} {
		if got, err := c.Get(t.Context(), addr, "k"); err != nil || !bytes.Equal(got, want) {
			t.Errorf("Get: %d bytes, %v", len(got), err)
		}
		b, err := c.Fetch(t.Context(), addr, "k")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, want) || b.Size() != 1000 {
			t.Errorf("Fetch: %d bytes, %v", len(got), err)
		}
		b.Close()
		for got, err := range c.GetMany(t.Context(), addr, []string{"k", "k"}) {
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("GetMany: %d bytes, %v", len(got), err)
			}
		}
	}
}

func TestGetMany(t *testing.T) {
	s := newStore(t, peer.StoreOptions{FileBytes: 4 << 10})
	srv, c := start(t, s)
	var keys []string
	want := map[string][]byte{}
	for i := range 2500 {
		key := fmt.Sprintf("key %d", i)
		keys = append(keys, key)
		if i%7 == 0 {
			continue // absent
		}
		want[key] = randomBytes(i%100*100, uint64(i))
		s.Put(key, want[key])
	}
	i := 0
	for data, err := range c.GetMany(t.Context(), srv.Addr(), keys) {
		w, there := want[keys[i]]
		if there && (err != nil || !bytes.Equal(data, w)) {
			t.Errorf("%s: %d bytes, %v", keys[i], len(data), err)
		}
		if !there && fault.KindOf(err) != fault.NotExist {
			t.Errorf("%s: %v, want NotExist", keys[i], err)
		}
		i++
	}
	if i != len(keys) {
		t.Errorf("%d answers for %d keys", i, len(keys))
	}
	for range c.GetMany(t.Context(), srv.Addr(), keys) {
		break
	}
	for _, err := range c.GetMany(t.Context(), srv.Addr(), []string{"", "x"}) {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("empty key: %v", err)
		}
	}
}

// A cutter passes connections on to a server and cuts each after a number of
// bytes of its answer.
type cutter struct {
	net.Listener
	to    string
	ctx   context.Context
	end   context.CancelFunc
	after atomic.Int64
	conns atomic.Int64
	wg    sync.WaitGroup
}

func newCutter(t *testing.T, to string, after int64) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, to: to}
	c.ctx, c.end = context.WithCancel(t.Context())
	c.after.Store(after)
	c.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			c.conns.Add(1)
			c.wg.Go(func() { c.pass(in) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		c.end()
		c.wg.Wait()
	})
	return c
}

func (c *cutter) pass(in net.Conn) {
	defer in.Close()
	defer context.AfterFunc(c.ctx, func() { in.Close() })()
	out, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	c.wg.Go(func() { io.Copy(out, in); out.Close() })
	io.CopyN(in, out, c.after.Load())
	out.Close()
}

func TestResume(t *testing.T) {
	s := newStore(t, peer.StoreOptions{FileBytes: 1 << 10})
	srv, c := start(t, s)
	want := randomBytes(1<<20, 7)
	s.Put("k", want)
	cut := newCutter(t, srv.Addr(), 300_000)
	got, err := c.Get(t.Context(), cut.Addr().String(), "k")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("Get: %d bytes, %v", len(got), err)
	}
	if n := cut.conns.Load(); n < 4 {
		t.Errorf("%d connections, want at least 4", n)
	}
	var keys []string
	for i := range 100 {
		keys = append(keys, fmt.Sprint(i))
		s.Put(keys[i], randomBytes(10_000, uint64(i)))
	}
	i := 0
	for data, err := range c.GetMany(t.Context(), cut.Addr().String(), keys) {
		if err != nil || !bytes.Equal(data, randomBytes(10_000, uint64(i))) {
			t.Errorf("GetMany %d: %d bytes, %v", i, len(data), err)
		}
		i++
	}
	cut.after.Store(0)
	if _, err := c.Get(t.Context(), cut.Addr().String(), "k"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Get without any bytes: %v", err)
	}
}

func TestResumeOfAnotherVersion(t *testing.T) {
	s := newStore(t, peer.StoreOptions{})
	srv, c := start(t, s)
	s.Put("k", randomBytes(1<<20, 8))
	cut := newCutter(t, srv.Addr(), 1000)
	b, err := c.Fetch(t.Context(), cut.Addr().String(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s.Put("k", randomBytes(1<<20, 9))
	if _, err := io.ReadAll(b); fault.KindOf(err) != fault.Changed {
		t.Errorf("ReadAll: %v, want Changed", err)
	}
}

// hostile answers every request with one text.
func hostile(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				buf := make([]byte, 4096)
				conn.Read(buf)
				io.WriteString(conn, answer)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

func TestHostileGet(t *testing.T) {
	c := peer.NewClient(&peer.ClientOptions{Tries: 2})
	defer c.Close()
	ok := "HTTP/1.1 200 OK\r\nETag: \"t\"\r\nLeat-Crc32c: 00000000\r\n"
	for _, tc := range []struct {
		name, answer string
		want         fault.Kind
	}{
		{"garbage", "hello\r\n\r\n", fault.Unavailable},
		{"nothing", "", fault.Unavailable},
		{"wrong checksum", ok + "Content-Length: 3\r\n\r\nabc", fault.Corrupt},
		{"no checksum", "HTTP/1.1 200 OK\r\nETag: \"t\"\r\nContent-Length: 0\r\n\r\n", fault.Corrupt},
		{"bad checksum", "HTTP/1.1 200 OK\r\nETag: \"t\"\r\nLeat-Crc32c: zz\r\nContent-Length: 0\r\n\r\n", fault.Corrupt},
		{"no length", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", fault.Corrupt},
		{"a part", "HTTP/1.1 206 Partial Content\r\nETag: \"t\"\r\nLeat-Crc32c: 00000000\r\nContent-Length: 0\r\n\r\n", fault.Corrupt},
		{"truncated, and no part of it again", ok + "Content-Length: 5\r\n\r\nabc", fault.Corrupt},
		{"huge and short", ok + "Content-Length: 9000000000000000000\r\n\r\nabc", fault.Corrupt},
		{"redirect", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", fault.Invalid},
		{"server error", "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nboom", fault.Unavailable},
	} {
		data, err := c.Get(t.Context(), hostile(t, tc.answer), "k")
		if err == nil || fault.KindOf(err) != tc.want {
			t.Errorf("%s: %q, %v (%v); want kind %v", tc.name, data, err, fault.KindOf(err), tc.want)
		}
	}
}

func TestHostileFrames(t *testing.T) {
	c := peer.NewClient(&peer.ClientOptions{Tries: 2})
	defer c.Close()
	frame := func(index, status uint32, size uint64, sum uint32, body string) string {
		b := binary.LittleEndian.AppendUint32(nil, index)
		b = binary.LittleEndian.AppendUint32(b, status)
		b = binary.LittleEndian.AppendUint64(b, size)
		b = binary.LittleEndian.AppendUint32(b, sum)
		return string(b) + body
	}
	for _, tc := range []struct {
		name, body string
		want       fault.Kind
	}{
		{"wrong checksum", frame(0, 200, 1, 0, "a"), fault.Corrupt},
		{"wrong index", frame(1, 200, 0, 0, ""), fault.Corrupt},
		{"truncated head", "abc", fault.Unavailable},
		{"truncated body", frame(0, 200, 100, 0, "a"), fault.Unavailable},
		{"huge", frame(0, 200, 1<<63, 0, "a"), fault.Corrupt},
		{"huge and short", frame(0, 200, 1<<61, 0, "a"), fault.Unavailable},
		{"absent", frame(0, 404, 0, 0, ""), fault.NotExist},
		{"broken", frame(0, 500, 0, 0, ""), fault.Unavailable},
	} {
		answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(tc.body), tc.body)
		n := 0
		for data, err := range c.GetMany(t.Context(), hostile(t, answer), []string{"k"}) {
			n++
			if err == nil || fault.KindOf(err) != tc.want {
				t.Errorf("%s: %q, %v (%v); want kind %v", tc.name, data, err, fault.KindOf(err), tc.want)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d answers for one key", tc.name, n)
		}
	}
}

// silent accepts connections, sends head, and then nothing.
func silent(t *testing.T, head string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				conn.Read(make([]byte, 4096)) // the request
				io.WriteString(conn, head)
				<-end
				conn.Close()
			})
		}
	})
	t.Cleanup(func() { close(end); l.Close(); wg.Wait() })
	return l.Addr().String()
}

func TestStall(t *testing.T) {
	c := peer.NewClient(&peer.ClientOptions{Stall: 50 * time.Millisecond})
	defer c.Close()
	head := "HTTP/1.1 200 OK\r\nETag: \"t\"\r\nLeat-Crc32c: 00000000\r\nContent-Length: 5\r\n\r\nab"
	for name, addr := range map[string]string{"before the head": silent(t, ""), "in the body": silent(t, head)} {
		if _, err := c.Get(t.Context(), addr, "k"); fault.KindOf(err) != fault.Timeout {
			t.Errorf("%s: %v, want Timeout", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	body, err := c.Fetch(ctx, silent(t, head), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	cancel()
	if _, err := io.ReadAll(body); fault.KindOf(err) != fault.Canceled {
		t.Errorf("canceled in the body: %v", err)
	}
}

func TestServerClose(t *testing.T) {
	s := newStore(t, peer.StoreOptions{FileBytes: 1 << 10})
	srv, err := peer.NewServer(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := peer.NewClient(&peer.ClientOptions{Tries: 1})
	defer c.Close()
	s.Put("k", make([]byte, 64<<20))
	b, err := c.Fetch(t.Context(), srv.Addr(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, b); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the rest of a value after Close: %v", err)
	}
	if _, err := c.Get(t.Context(), srv.Addr(), "k"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Get after Close: %v", err)
	}
}

func BenchmarkLarge(b *testing.B) {
	s := newStore(b, peer.StoreOptions{})
	srv, c := start(b, s)
	s.Put("k", make([]byte, 1<<30))
	b.SetBytes(1 << 30)
	b.ReportAllocs()
	for b.Loop() {
		body, err := c.Fetch(b.Context(), srv.Addr(), "k")
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, body); n != 1<<30 || err != nil {
			b.Fatal(n, err)
		}
		body.Close()
	}
}

func BenchmarkMany(b *testing.B) {
	s := newStore(b, peer.StoreOptions{})
	srv, c := start(b, s)
	keys := make([]string, 20_000)
	for i := range keys {
		keys[i] = fmt.Sprintf("session/r/%d", i)
		s.Put(keys[i], randomBytes(4<<10, uint64(i)))
	}
	b.SetBytes(int64(len(keys)) * 4 << 10)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for data, err := range c.GetMany(b.Context(), srv.Addr(), keys) {
			if err != nil || len(data) != 4<<10 {
				b.Fatal(err)
			}
			n++
		}
		if n != len(keys) {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(len(keys)*b.N)/b.Elapsed().Seconds(), "objects/s")
}
