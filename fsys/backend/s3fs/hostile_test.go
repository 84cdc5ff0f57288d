package s3fs_test

import (
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/backend/s3fs"
	"github.com/leat-dev/leat/fsys/driver"
)

// A service answers with what a test scripts and keeps a log of requests as
// "METHOD /path?query".
type service struct {
	mu  sync.Mutex
	log []string
}

// serve opens a bucket on a scripted service; the handler gets the body too.
func serve(t *testing.T, h func(w http.ResponseWriter, r *http.Request, body string)) (*s3fs.FS, *service) {
	t.Helper()
	quiet(t)
	s := &service{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.log = append(s.log, r.Method+" "+r.URL.RequestURI())
		s.mu.Unlock()
		h(w, r, string(body))
	}))
	t.Cleanup(srv.Close)
	f := open(t, &s3fs.Options{Endpoint: srv.URL, AccessKey: "a", SecretKey: "s", PartBytes: 5 * mib, PartsInFlight: 2}, "b")
	return f, s
}

// count returns how many requests contain all the words.
func (s *service) count(words ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, line := range s.log {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			n++
		}
	}
	return n
}

func xmlError(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\"?>\n<Error><Code>%s</Code><Message>text of\n %[1]s</Message></Error>", code)
}

func TestErrorCodes(t *testing.T) {
	status, code := 0, ""
	f, _ := serve(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Retry-After", "3")
		if code == "" {
			w.WriteHeader(status)
			return
		}
		xmlError(w, status, code)
	})
	s3fs.NoWait(f)
	for _, tc := range []struct {
		status int
		code   string
		want   fault.Kind
	}{
		{403, "AccessDenied", fault.Permission}, {403, "SignatureDoesNotMatch", fault.Permission}, {400, "ExpiredToken", fault.Permission},
		{403, "", fault.Permission}, {503, "SlowDown", fault.Throttled}, {503, "", fault.Throttled}, {429, "", fault.Throttled},
		{500, "InternalError", fault.Unavailable}, {502, "", fault.Unavailable}, {400, "RequestTimeout", fault.Unavailable},
		{400, "KeyTooLongError", fault.Invalid}, {400, "Whatever", fault.Invalid}, {404, "SomethingElse", fault.Invalid},
		{501, "NotImplemented", fault.Unsupported}, {507, "XMinioStorageFull", fault.NoSpace}, {412, "PreconditionFailed", fault.Changed},
		{404, "NoSuchBucket", fault.NotExist}, {200, "InternalError", fault.Unavailable},
	} {
		status, code = tc.status, tc.code
		var listErr error
		for _, listErr = range f.List(t.Context(), "d", driver.ListOptions{}) {
			continue
		}
		errs := map[string]error{"list": listErr}
		if status != 200 {
			_, errs["stat"] = f.Stat(t.Context(), "d")
			_, errs["open"] = f.Open(t.Context(), "d", driver.OpenOptions{})
			errs["remove"] = f.Remove(t.Context(), "d")
		}
		for op, err := range errs {
			var e *fault.Error
			if !errors.As(err, &e) || e.Kind != tc.want || e.Op != op || e.Path != "d" {
				t.Errorf("%d %s: %s: %v of kind %v, want %v", status, code, op, err, fault.KindOf(err), tc.want)
				continue
			}
			if e.Kind == fault.Throttled && e.RetryAfter != 3*time.Second {
				t.Errorf("%d %s: %s: RetryAfter %v", status, code, op, e.RetryAfter)
			}
			if tc.want != fault.NotExist && errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%d %s: %s reads as absent", status, code, op)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%d %s: message of two lines: %q", status, code, err)
			}
		}
	}
}

func TestBucketInAnotherRegion(t *testing.T) {
	for _, status := range []int{301, 400, 403} {
		f, s := serve(t, func(w http.ResponseWriter, r *http.Request, _ string) {
			if !strings.Contains(r.Header.Get("Authorization"), "/eu-far-1/s3/aws4_request") {
				w.Header().Set("X-Amz-Bucket-Region", "eu-far-1")
				xmlError(w, status, "AuthorizationHeaderMalformed")
				return
			}
			_, _ = io.WriteString(w, "hello")
		})
		for range 3 {
			if got, err := read(t.Context(), f, "k", driver.OpenOptions{}); err != nil || got != "hello" {
				t.Errorf("%d: read %q, %v", status, got, err)
			}
		}
		if n := s.count("GET"); n != 4 {
			t.Errorf("%d: %d requests for three reads, want 4", status, n)
		}
	}
	f, s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("X-Amz-Bucket-Region", fmt.Sprintf("r-%d", time.Now().UnixNano()))
		xmlError(w, 301, "PermanentRedirect")
	})
	if _, err := read(t.Context(), f, "k", driver.OpenOptions{}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "AWS_REGION") || s.count("GET") != 2 {
		t.Errorf("a service that sends round in circles: %v after %d requests", err, s.count("GET"))
	}
}

// One read is one request; wrong and short answers are errors.
func TestReads(t *testing.T) {
	const text = "0123456789"
	answer := func(status int, header map[string]string, body string) func(http.ResponseWriter, *http.Request, string) {
		return func(w http.ResponseWriter, _ *http.Request, _ string) {
			for k, v := range header {
				w.Header().Set(k, v)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, tc := range map[string]struct {
		h    func(http.ResponseWriter, *http.Request, string)
		opts driver.OpenOptions
		want string
		kind fault.Kind
	}{
		"whole":         {answer(200, nil, text), driver.OpenOptions{}, text, fault.None},
		"range":         {answer(206, map[string]string{"Content-Range": "bytes 3-5/10"}, "345"), driver.OpenOptions{Offset: 3, Length: 3}, "345", fault.None},
		"ignored":       {answer(200, nil, text), driver.OpenOptions{Offset: 3, Length: 3}, "", fault.Unavailable},
		"capped":        {answer(200, nil, text), driver.OpenOptions{Length: 3}, "012", fault.None},
		"wrong":         {answer(206, map[string]string{"Content-Range": "bytes 2-4/10"}, "234"), driver.OpenOptions{Offset: 3, Length: 3}, "", fault.Unavailable},
		"no range":      {answer(206, nil, "345"), driver.OpenOptions{Offset: 3, Length: 3}, "", fault.Unavailable},
		"unasked range": {answer(206, map[string]string{"Content-Range": "bytes 0-4/10"}, "01234"), driver.OpenOptions{}, "", fault.Unavailable},
		"short":         {answer(200, map[string]string{"Content-Length": "99"}, text), driver.OpenOptions{}, text, fault.Unavailable},
		"version":       {answer(200, map[string]string{"ETag": `"two"`}, text), driver.OpenOptions{Version: "one"}, "", fault.Changed},
	} {
		f, s := serve(t, tc.h)
		got, err := read(t.Context(), f, "k", tc.opts)
		if got != tc.want || fault.KindOf(err) != tc.kind {
			t.Errorf("%s: %q, %v; want %q, %v", name, got, err, tc.want, tc.kind)
		}
		if n := s.count("GET /b/k"); n != 1 || len(s.log) != 1 {
			t.Errorf("%s: requests %q, want one GET", name, s.log)
		}
	}
}

func TestListings(t *testing.T) {
	page := ""
	f, s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ string) { _, _ = io.WriteString(w, page) })
	all := func() (names []string, err error) {
		for e, err := range f.List(t.Context(), "", driver.ListOptions{}) {
			if err != nil {
				return names, err
			}
			names = append(names, e.Path)
		}
		return names, nil
	}
	page = `<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a+b%0A%01%2B%25</Key><Size>1</Size></Contents>
<Contents><Key>p/</Key><Size>3</Size></Contents><CommonPrefixes><Prefix>a%2Fx/</Prefix></CommonPrefixes></ListBucketResult>`
	if names, err := all(); err != nil || !slices.Equal(names, []string{"a b\n\x01+%", "a/x", "p/"}) {
		t.Errorf("list %q, %v", names, err)
	}
	page = `<ListBucketResult><Contents><Key>a+b%0A</Key><Size>1</Size></Contents></ListBucketResult>`
	if names, err := all(); err != nil || !slices.Equal(names, []string{"a+b%0A"}) {
		t.Errorf("a service that does not escape: list %q, %v", names, err)
	}
	for text, kind := range map[string]fault.Kind{
		`<html><body>It works!</body></html>`: fault.Unavailable,
		`{"a":1}`:                             fault.Unavailable,
		`<ListBucketResult><Contents><Key>a`:  fault.Unavailable,
		``:                                    fault.Unavailable,
		`<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>`:                                     fault.Corrupt,
		`<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents></ListBucketResult>`: fault.Corrupt,
	} {
		page = text
		if names, err := all(); fault.KindOf(err) != kind {
			t.Errorf("%q: %q, %v; want %v", text, names, err, kind)
		}
	}
	// Pages are asked for as the loop goes, and no further.
	page = `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents></ListBucketResult>`
	for entries, most := range map[int]int{1: 1, 2: 1, 3: 3, 4: 3, 5: 4} {
		s.log = nil
		n := 0
		for range f.List(t.Context(), "", driver.ListOptions{}) {
			if n++; n == entries {
				break
			}
		}
		if got := s.count("GET"); got < (entries+1)/2 || got > most {
			t.Errorf("%d requests for %d entries in pages of two, want at most %d", got, entries, most)
		}
	}
}

// What the service does not say it deleted has not been.
func TestBatchOutcomes(t *testing.T) {
	f, s := serve(t, func(w http.ResponseWriter, r *http.Request, body string) {
		if r.Method == "DELETE" {
			w.WriteHeader(204)
			return
		}
		sum := md5.Sum([]byte(body))
		if got := r.Header.Get("Content-Md5"); got == "" || strings.Contains(body, "cr\r") {
			t.Errorf("Content-MD5 %q (%x) of %q", got, sum, body)
		}
		_, _ = io.WriteString(w, `<DeleteResult><Deleted><Key>gone</Key></Deleted><Deleted><Key>&lt;&amp;&gt;</Key></Deleted>
<Error><Key>denied</Key><Code>AccessDenied</Code><Message>no</Message></Error>
<Error><Key>slow</Key><Code>SlowDown</Code></Error><Error><Key>broken</Key><Code>InternalError</Code></Error>
<Error><Key>absent</Key><Code>NoSuchKey</Code></Error></DeleteResult>`)
	})
	want := map[string]fault.Kind{
		"gone": fault.None, "<&>": fault.None, "absent": fault.None, "denied": fault.Permission,
		"slow": fault.Throttled, "broken": fault.Unavailable, "unsaid": fault.Unavailable, "cr\r": fault.None, "bad\xff": fault.Invalid,
	}
	var paths []string
	for p := range want {
		paths = append(paths, p)
	}
	for i, err := range f.RemoveBatch(t.Context(), paths) {
		var e *fault.Error
		if fault.KindOf(err) != want[paths[i]] || errors.As(err, &e) && e.Path != paths[i] {
			t.Errorf("remove %q: %v, want %v", paths[i], err, want[paths[i]])
		}
	}
	if s.count("DELETE /b/cr%0D") != 1 || s.count("POST /b?delete") != 1 {
		t.Errorf("requests %q", s.log)
	}
}

// A throttled answer is obeyed, and one that is lost is not guessed at.
func TestSmallWrites(t *testing.T) {
	n := 0
	f, s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		if n++; n == 1 {
			w.Header().Set("Retry-After", "11")
			xmlError(w, 503, "SlowDown")
			return
		}
		w.Header().Set("ETag", `"x"`)
	})
	waits := s3fs.NoWait(f)
	if e := write(t, f, "k", "data"); e.Version != "x" || len(*waits) != 1 || (*waits)[0] != 11*time.Second {
		t.Errorf("wrote %+v after waits of %v", e, *waits)
	}
	if len(s.log) != 2 {
		t.Errorf("requests %q", s.log)
	}
	for _, exclusive := range []bool{false, true} {
		f, s := serve(t, func(w http.ResponseWriter, _ *http.Request, _ string) { hangUp(w) })
		s3fs.NoWait(f)
		w, err := f.Create(t.Context(), "k", driver.CreateOptions{Exclusive: exclusive})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Commit(t.Context())
		if want := map[bool]int{false: 3, true: 1}[exclusive]; fault.KindOf(err) != fault.Unavailable || s.count("PUT") < want || exclusive && s.count("PUT") > 1 {
			t.Errorf("exclusive %v: %v after %d requests", exclusive, err, s.count("PUT"))
		}
	}
}

func TestUnreachable(t *testing.T) {
	quiet(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	f := open(t, &s3fs.Options{Endpoint: "http://" + l.Addr().String(), Anonymous: true}, "b")
	s3fs.NoWait(f)
	_, statErr := f.Stat(t.Context(), "")
	_, openErr := f.Open(t.Context(), "k", driver.OpenOptions{})
	_, writeErr := send(t.Context(), f, driver.CreateOptions{})
	for what, err := range map[string]error{"stat": statErr, "open": openErr, "write": writeErr, "batch": f.RemoveBatch(t.Context(), []string{"k"})[0]} {
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), l.Addr().String()) {
			t.Errorf("%s: %v, want Unavailable and the endpoint", what, err)
		}
	}
}

// Requests one after the other need one connection for bodies and one for
// the rest, whether or not what was read was read to its end.
func TestConnectionsAreReused(t *testing.T) {
	quiet(t)
	var opened atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Has("list-type"):
			_, _ = io.WriteString(w, "<ListBucketResult></ListBucketResult>")
		case r.URL.Path == "/b/absent":
			xmlError(w, 404, "NoSuchKey")
		default:
			_, _ = io.WriteString(w, strings.Repeat("x", 3000))
		}
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	f := open(t, &s3fs.Options{Endpoint: srv.URL, AccessKey: "a", SecretKey: "s"}, "b")
	for range 10 {
		if _, err := read(t.Context(), f, "k", driver.OpenOptions{}); err != nil {
			t.Error(err)
		}
		if _, err := read(t.Context(), f, "absent", driver.OpenOptions{}); fault.KindOf(err) != fault.NotExist {
			t.Error(err)
		}
		if _, err := f.Stat(t.Context(), "k"); err != nil {
			t.Error(err)
		}
		write(t, f, "k", "data")
	}
	if n := opened.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// A certificate nobody vouches for is not something to try again.
func TestUntrustedCertificate(t *testing.T) {
	quiet(t)
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	f := open(t, &s3fs.Options{Endpoint: srv.URL, AccessKey: "a", SecretKey: "s"}, "b")
	if _, err := f.Stat(t.Context(), "k"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("stat: %v, want an invalid request", err)
	}
}
