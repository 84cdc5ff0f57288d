package httpwire_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/httpwire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseRange(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want httpwire.Range
		ok   bool
	}{
		{"bytes 0-9/100", httpwire.Range{First: 0, Last: 9, Size: 100}, true},
		{"bytes 0-9/*", httpwire.Range{First: 0, Last: 9, Size: -1}, true},
		{"bytes */100", httpwire.Range{First: -1, Last: -1, Size: 100}, true},
		{"bytes */*", httpwire.Range{}, false},
		{"bytes 9-0/100", httpwire.Range{}, false},
		{"bytes 0-100/100", httpwire.Range{}, false},
		{"bytes -1-5/100", httpwire.Range{}, false},
		{"bytes +1-5/100", httpwire.Range{}, false},
		{"bytes 0-99999999999999999999/*", httpwire.Range{}, false},
		{"items 0-9/100", httpwire.Range{}, false},
		{"bytes 0-9", httpwire.Range{}, false},
		{"", httpwire.Range{}, false},
	} {
		got, ok := httpwire.ParseRange(tc.in)
		if ok != tc.ok || (ok && got != tc.want) {
			t.Errorf("ParseRange(%q) = %+v, %v; want %+v, %v", tc.in, got, ok, tc.want, tc.ok)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	f.Add("bytes 0-9/100")
	f.Add("bytes */0")
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := httpwire.ParseRange(s)
		if ok && (r.Last < r.First || r.Size >= 0 && r.Last >= r.Size) {
			t.Errorf("ParseRange(%q) = %+v", s, r)
		}
	})
}

func TestRangeHeaderAndCovers(t *testing.T) {
	for _, tc := range []struct {
		opts   driver.OpenOptions
		header string
		answer string // Content-Range
		covers bool
	}{
		{driver.OpenOptions{}, "", "bytes 0-99/100", true},
		{driver.OpenOptions{Offset: 10}, "bytes=10-", "bytes 10-99/100", true},
		{driver.OpenOptions{Offset: 10}, "bytes=10-", "bytes 0-99/100", false},
		{driver.OpenOptions{Offset: 10}, "bytes=10-", "bytes 10-98/100", false},
		{driver.OpenOptions{Offset: 10, Length: 5}, "bytes=10-14", "bytes 10-14/100", true},
		{driver.OpenOptions{Offset: 10, Length: 5}, "bytes=10-14", "bytes 10-13/100", false},
		{driver.OpenOptions{Offset: 10, Length: 5}, "bytes=10-14", "bytes 10-20/100", false},
		{driver.OpenOptions{Offset: 98, Length: 5}, "bytes=98-102", "bytes 98-99/100", true},
		{driver.OpenOptions{Length: 5}, "bytes=0-4", "bytes 0-4/*", true},
		{driver.OpenOptions{Offset: -10}, "bytes=-10", "bytes 90-99/100", true},
		{driver.OpenOptions{Offset: -10}, "bytes=-10", "bytes 0-3/4", true},
		{driver.OpenOptions{Offset: -10}, "bytes=-10", "bytes 80-89/100", false},
		{driver.OpenOptions{Offset: -10, Length: 3}, "bytes=-10", "bytes 90-99/100", true},
		{driver.OpenOptions{Offset: 1, Length: 1<<63 - 1}, "bytes=1-9223372036854775806", "bytes 1-99/100", true},
	} {
		if got := httpwire.RangeHeader(tc.opts); got != tc.header {
			t.Errorf("RangeHeader(%+v) = %q, want %q", tc.opts, got, tc.header)
		}
		r, _ := httpwire.ParseRange(tc.answer)
		if got := r.Covers(tc.opts); got != tc.covers {
			t.Errorf("%q covers %+v = %v, want %v", tc.answer, tc.opts, got, tc.covers)
		}
	}
}

func TestReaderCounts(t *testing.T) {
	read := func(n int64, exact bool, body string) (string, error) {
		r := httpwire.NewReader(t.Context(), driver.Entry{Path: "p"}, io.NopCloser(bytes.NewBufferString(body)), n, exact)
		defer func() { _ = r.Close() }()
		b, err := io.ReadAll(r)
		return string(b), err
	}
	for _, tc := range []struct {
		n     int64
		exact bool
		body  string
		want  string
		kind  fault.Kind
	}{
		{5, true, "hello", "hello", fault.None},
		{3, true, "hello", "hel", fault.None},
		{-1, false, "hello", "hello", fault.None},
		{9, false, "hello", "hello", fault.None},
		{6, true, "hello", "hello", fault.Unavailable},
		{1, true, "", "", fault.Unavailable},
	} {
		got, err := read(tc.n, tc.exact, tc.body)
		if got != tc.want || fault.KindOf(err) != tc.kind {
			t.Errorf("n=%d exact=%v: %q, %v; want %q, %v", tc.n, tc.exact, got, err, tc.want, tc.kind)
		}
	}
}

func TestKindOf(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		ctx  context.Context
		err  error
		want fault.Kind
	}{
		{t.Context(), io.ErrUnexpectedEOF, fault.Unavailable},
		{t.Context(), &net.OpError{Op: "dial", Err: &net.DNSError{IsTimeout: true}}, fault.Unavailable},
		{t.Context(), syscall.ECONNRESET, fault.Unavailable},
		{t.Context(), errors.New("http: server closed idle connection"), fault.Unavailable},
		{t.Context(), x509.UnknownAuthorityError{}, fault.Invalid},
		{ended, io.ErrUnexpectedEOF, fault.Canceled},
	} {
		if got := httpwire.KindOf(tc.ctx, fmt.Errorf("outer: %w", tc.err)); got != tc.want {
			t.Errorf("KindOf(%v) = %v, want %v", tc.err, got, tc.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0,
		"9223372036854775807":           24 * time.Hour,
		"Mon, 02 Jan 2006 15:04:05 GMT": 0,
	} {
		if got := httpwire.RetryAfter(http.Header{"Retry-After": {v}}); got != want {
			t.Errorf("RetryAfter(%q) = %v, want %v", v, got, want)
		}
	}
	in := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	if got := httpwire.RetryAfter(http.Header{"Retry-After": {in}}); got <= 0 || got > time.Hour {
		t.Errorf("RetryAfter of a date in one hour = %v", got)
	}
}

func get(t *testing.T, tr *http.Transport, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := httpwire.Do(tr, req)
	if err != nil {
		return "", err
	}
	defer httpwire.Drain(resp.Body)
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// A server that stops in the middle of an answer does not hang the reader.
func TestStallBreaksTheConnection(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("part"))
		_ = http.NewResponseController(w).Flush()
		<-release
	}))
	defer srv.Close()
	defer close(release)
	tr := httpwire.NewTransport(&httpwire.Options{StallTimeout: 50 * time.Millisecond})
	defer tr.CloseIdleConnections()
	got, err := get(t, tr, srv.URL)
	if got != "part" || err == nil {
		t.Fatalf("read %q, %v; want part and an error", got, err)
	}
	if k := httpwire.KindOf(t.Context(), err); !k.Temporary() {
		t.Errorf("kind %v of %v, want a temporary one", k, err)
	}
}

func TestConnectionsAreBoundedAndReused(t *testing.T) {
	var opened, open, most int
	mu := make(chan struct{}, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok")
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		mu <- struct{}{}
		defer func() { <-mu }()
		switch s {
		case http.StateNew:
			opened++
			open++
			most = max(most, open)
		case http.StateClosed, http.StateHijacked:
			open--
		}
	}
	srv.Start()
	tr := httpwire.NewTransport(&httpwire.Options{MaxConns: 4})
	done := make(chan error)
	for range 32 {
		go func() { // owned by this test, which waits for all of them
			var err error
			for range 10 {
				if _, e := get(t, tr, srv.URL); e != nil {
					err = e
				}
			}
			done <- err
		}()
	}
	for range 32 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	tr.CloseIdleConnections()
	srv.Close()
	if most > 4 || opened > 4 {
		t.Errorf("%d connections opened, %d at once; want at most 4", opened, most)
	}
}

func TestDialFailureIsUnavailable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	tr := httpwire.NewTransport(nil)
	_, err = get(t, tr, "http://"+l.Addr().String())
	if k := httpwire.KindOf(t.Context(), err); k != fault.Unavailable {
		t.Errorf("kind %v of %v, want Unavailable", k, err)
	}
}
