package s3fs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/backend/s3fs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/testenv"
)

const mib = 1 << 20

// bytesOf returns n bytes that differ by position.
func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*3 ^ byte(i>>16)*29
	}
	return b
}

// small returns a bucket with small parts.
func small(t *testing.T) *s3fs.FS {
	t.Helper()
	s := testenv.S3(t)
	opts := options(t, s)
	opts.PartBytes = 5 * mib
	return open(t, opts, s.Bucket(t))
}

func wantNoUploads(t *testing.T, f *s3fs.FS) {
	t.Helper()
	if left := s3fs.Uploads(t, f); len(left) > 0 {
		t.Errorf("uploads left behind: %q", left)
	}
}

func TestMultipart(t *testing.T) {
	f := small(t)
	for _, size := range []int{5 * mib, 5*mib + 1, 21*mib + 7} {
		data := bytesOf(size)
		for _, hint := range []int64{0, int64(size), 100} {
			w, err := f.Create(t.Context(), "big", driver.CreateOptions{SizeHint: hint})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyBuffer(struct{ io.Writer }{w}, bytes.NewReader(data), make([]byte, 777_777)); err != nil {
				t.Fatal(err)
			}
			e, err := w.Commit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			st, err := f.Stat(t.Context(), "big")
			if err != nil || st.Size != int64(size) || st.Version != e.Version || e.Size != st.Size {
				t.Errorf("size %d: committed %+v, is %+v, %v", size, e, st, err)
			}
			if multi := strings.Contains(e.Version, "-"); multi != (size > 5*mib) {
				t.Errorf("size %d: in parts is %v", size, multi)
			}
			if got, err := read(t.Context(), f, "big", driver.OpenOptions{}); err != nil || got != string(data) {
				t.Errorf("size %d: read %d bytes, %v", size, len(got), err)
			}
		}
	}
	wantNoUploads(t, f)
}

func TestMultipartAbortAndCancel(t *testing.T) {
	f := small(t)
	data := bytesOf(12 * mib)
	for name, end := range map[string]func(w driver.Writer, cancel context.CancelFunc) error{
		"abort":            func(w driver.Writer, _ context.CancelFunc) error { return w.Abort() },
		"cancel and abort": func(w driver.Writer, cancel context.CancelFunc) error { cancel(); return w.Abort() },
		"cancel and commit": func(w driver.Writer, cancel context.CancelFunc) error {
			cancel()
			if _, err := w.Commit(context.Background()); fault.KindOf(err) != fault.Canceled {
				return fmt.Errorf("commit after cancel: %w", err)
			}
			return nil
		},
		"commit with an ended context": func(w driver.Writer, _ context.CancelFunc) error {
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			if _, err := w.Commit(ended); fault.KindOf(err) != fault.Canceled {
				return fmt.Errorf("commit with an ended context: %w", err)
			}
			return w.Abort()
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		w, err := f.Create(ctx, "big", driver.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := end(w, cancel); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		wantNoUploads(t, f)
		if _, err := f.Stat(t.Context(), "big"); fault.KindOf(err) != fault.NotExist {
			t.Errorf("%s: stat: %v, want NotExist", name, err)
		}
	}
}

func TestMultipartExclusive(t *testing.T) {
	f := small(t)
	write(t, f, "big", "first")
	w, err := f.Create(t.Context(), "big", driver.CreateOptions{Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(bytesOf(11 * mib)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); fault.KindOf(err) != fault.Exist {
		t.Errorf("exclusive commit over an object: %v, want Exist", err)
	}
	if got, _ := read(t.Context(), f, "big", driver.OpenOptions{}); got != "first" {
		t.Errorf("the object holds %d bytes, want the first ones", len(got))
	}
	wantNoUploads(t, f)
}

func TestCopyInParts(t *testing.T) {
	f := small(t)
	s3fs.SetMaxCopy(f, 5*mib)
	data := string(bytesOf(12*mib + 3))
	write(t, f, "src?a b#%é", data)
	e, err := f.Copy(t.Context(), "src?a b#%é", "dst")
	if err != nil || e.Path != "dst" || e.Size != int64(len(data)) {
		t.Fatalf("copy = %+v, %v", e, err)
	}
	st, err := f.Stat(t.Context(), "dst")
	if err != nil || st.Version != e.Version || !strings.HasSuffix(e.Version, "-3") {
		t.Errorf("copied as %q, is %q, %v; want three parts", e.Version, st.Version, err)
	}
	if got, err := read(t.Context(), f, "dst", driver.OpenOptions{}); err != nil || got != data {
		t.Errorf("the copy holds %d bytes, %v", len(got), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Copy(ctx, "src?a b#%é", "never"); fault.KindOf(err) != fault.Canceled {
		t.Errorf("canceled copy: %v", err)
	}
	wantNoUploads(t, f)
}

func TestMissingBucket(t *testing.T) {
	s := testenv.S3(t)
	f := open(t, options(t, s), "no-such-bucket")
	_, statErr := f.Stat(t.Context(), "")
	_, keyErr := f.Stat(t.Context(), "k")
	_, openErr := f.Open(t.Context(), "k", driver.OpenOptions{})
	var listErr, dirErr error
	for _, listErr = range f.List(t.Context(), "", driver.ListOptions{}) {
		continue
	}
	for _, dirErr = range f.List(t.Context(), "d", driver.ListOptions{Recursive: true}) {
		continue
	}
	w, err := f.Create(t.Context(), "k", driver.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, commitErr := w.Commit(t.Context())
	_, copyErr := f.Copy(t.Context(), "k", "l")
	for what, err := range map[string]error{
		"stat root": statErr, "stat": keyErr, "open": openErr, "list": listErr, "list dir": dirErr, "commit": commitErr,
		"copy": copyErr, "batch": f.RemoveBatch(t.Context(), []string{"k"})[0], "remove": f.Remove(t.Context(), "k"),
	} {
		if fault.KindOf(err) != fault.NotExist || !strings.Contains(fmt.Sprint(err), `bucket "no-such-bucket" does not exist`) {
			t.Errorf("%s: %v, want that the bucket does not exist", what, err)
		}
	}
}

func TestCredentials(t *testing.T) {
	s := testenv.S3(t)
	bucket := s.Bucket(t)
	good := options(t, s)
	write(t, open(t, good, bucket), "k", "v")
	wrong, unknown := *good, *good
	wrong.SecretKey = "wrong"
	unknown.AccessKey = "nobody"
	none := s3fs.Options{Endpoint: s.Endpoint, Region: s.Region}
	for name, opts := range map[string]*s3fs.Options{"wrong secret": &wrong, "unknown key": &unknown, "none": &none} {
		f := open(t, opts, bucket)
		for _, path := range []string{"k", "absent", ""} {
			_, err := f.Stat(t.Context(), path)
			if fault.KindOf(err) != fault.Permission {
				t.Errorf("%s: stat %q: %v, want Permission", name, path, err)
			}
			if hint := strings.Contains(fmt.Sprint(err), "set AWS_ACCESS_KEY_ID"); hint != (name == "none") {
				t.Errorf("%s: stat %q: hint is %v in %v", name, path, hint, err)
			}
			if strings.Contains(fmt.Sprint(err), good.SecretKey) {
				t.Error("the secret is in the message")
			}
		}
	}
}

// Everything comes from the environment and the files.
func TestEnvironment(t *testing.T) {
	s := testenv.S3(t)
	bucket := s.Bucket(t)
	write(t, open(t, options(t, s), bucket), "k", "v")
	dir := t.TempDir()
	file := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	config := fmt.Sprintf("# comment\n[default]\nregion = nowhere-1\n[profile dev]\nregion = %s\nservices = local\n"+
		"[profile flat]\nendpoint_url=%s\n[services local]\ns3 =\n  endpoint_url = %s\n", s.Region, s.Endpoint, s.Endpoint)
	secrets := fmt.Sprintf("[dev]\naws_access_key_id = %s\naws_secret_access_key = %s\n[flat]\naws_access_key_id = %[1]s\naws_secret_access_key = %[2]s\nregion = %s\n", s.AccessKey, s.SecretKey, s.Region)
	for name, env := range map[string][]string{
		"variables":       s.Env(),
		"s3 variable":     {"AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3=" + s.Endpoint, "AWS_ACCESS_KEY_ID=" + s.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.SecretKey},
		"profile":         {"AWS_PROFILE=dev", "AWS_CONFIG_FILE=" + file("config", config), "AWS_SHARED_CREDENTIALS_FILE=" + file("credentials", secrets)},
		"endpoint_url":    {"AWS_PROFILE=flat", "AWS_CONFIG_FILE=" + file("config", config), "AWS_SHARED_CREDENTIALS_FILE=" + file("credentials", secrets)},
		"region variable": {"AWS_PROFILE=flat", "AWS_DEFAULT_REGION=" + s.Region, "AWS_CONFIG_FILE=" + file("config", config), "AWS_SHARED_CREDENTIALS_FILE=" + file("credentials", secrets)},
	} {
		t.Run(name, func(t *testing.T) {
			quiet(t)
			for _, v := range env {
				k, v, _ := strings.Cut(v, "=")
				t.Setenv(k, v)
			}
			if got, err := read(t.Context(), open(t, nil, bucket), "k", driver.OpenOptions{}); err != nil || got != "v" {
				t.Errorf("read %q, %v", got, err)
			}
		})
	}
	quiet(t)
	for name, opts := range map[string]*s3fs.Options{
		"profile":  {Profile: "absent"},
		"endpoint": {Endpoint: "127.0.0.1:9000"},
		"scheme":   {Endpoint: "ftp://h"},
		"query":    {Endpoint: "http://h?x"},
		"part":     {PartBytes: 5},
	} {
		if _, err := s3fs.Open(t.Context(), "s3://b", opts); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want an invalid request", name, err)
		}
	}
}

// The role of a container is asked for once, and again when it expires or was
// not to be had.
func TestContainerRole(t *testing.T) {
	s := testenv.S3(t)
	bucket := s.Bucket(t)
	write(t, open(t, options(t, s), bucket), "k", "v")
	asked := 0
	meta := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			w.WriteHeader(503)
			return
		}
		_, _ = fmt.Fprintf(w, `{"AccessKeyId":%q,"SecretAccessKey":%q,"Expiration":"2100-01-01T00:00:00Z"}`, s.AccessKey, s.SecretKey)
	}))
	t.Cleanup(meta.Close)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", meta.URL+"/role")
	f := open(t, &s3fs.Options{Endpoint: s.Endpoint, Region: s.Region}, bucket)
	for range 2 {
		if _, err := f.Stat(t.Context(), "k"); fault.KindOf(err) != fault.Permission || asked != 1 {
			t.Errorf("without a role: %v after asking %d times", err, asked)
		}
	}
	s3fs.LookAgain(f)
	for range 2 {
		if got, err := read(t.Context(), f, "k", driver.OpenOptions{}); err != nil || got != "v" || asked != 2 {
			t.Errorf("with a role: %q, %v after asking %d times", got, err, asked)
		}
	}
}

func TestDirectoryMarkers(t *testing.T) {
	f, s, bucket := fresh(t)
	if err := os.MkdirAll(filepath.Join(s.Dir, bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	s3fs.PutMarker(t, f, "empty/")
	write(t, f, "full/x", "x")
	s3fs.PutMarker(t, f, "full/sub/")
	var got []string
	for e, err := range f.List(t.Context(), "", driver.ListOptions{Recursive: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Kind.String()+" "+e.Path)
	}
	if want := []string{"directory empty", "directory full/sub", "file full/x"}; !slices.Equal(got, want) {
		t.Errorf("list -R %q, want %q", got, want)
	}
	for _, dir := range []string{"empty", "full/sub"} {
		if e, err := f.Stat(t.Context(), dir); err != nil || e.Kind != driver.Dir {
			t.Errorf("stat %s = %+v, %v", dir, e, err)
		}
		if e, err := f.Stat(t.Context(), dir+"/"); err != nil || e.Kind != driver.Dir || e.Path != dir {
			t.Errorf("stat %s/ = %+v, %v", dir, e, err)
		}
		if _, err := f.Open(t.Context(), dir+"/", driver.OpenOptions{}); fault.KindOf(err) != fault.IsDir {
			t.Errorf("open %s/: %v", dir, err)
		}
		for e, err := range f.List(t.Context(), dir, driver.ListOptions{}) {
			t.Errorf("list %s has %+v, %v", dir, e, err)
		}
		if _, err := f.Open(t.Context(), dir, driver.OpenOptions{}); fault.KindOf(err) != fault.IsDir {
			t.Errorf("open %s: %v", dir, err)
		}
		if err := f.Remove(t.Context(), dir+"/"); err != nil {
			t.Errorf("remove %s/: %v", dir, err)
		}
		if _, err := f.Stat(t.Context(), dir); fault.KindOf(err) != fault.NotExist {
			t.Errorf("stat of removed %s: %v", dir, err)
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	f, _, _ := fresh(t)
	write(t, f, "a/b", "keep")
	for _, key := range []string{"", "bad\xff", strings.Repeat("k", 1025), "a//b", "a/./b", "x/../a/b", "/a/b", "c\x01", "a/b//"} {
		if _, err := f.Create(t.Context(), key, driver.CreateOptions{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("create %q: %v, want an invalid request", key, err)
		}
		if _, err := f.Copy(t.Context(), "a/b", key); fault.KindOf(err) != fault.Invalid {
			t.Errorf("copy to %q: %v, want an invalid request", key, err)
		}
		if err := f.RemoveBatch(t.Context(), []string{key, "other"}); fault.KindOf(err[0]) != fault.Invalid || err[1] != nil {
			t.Errorf("remove batch of %q: %v", key, err)
		}
		if err := f.Remove(t.Context(), key); err == nil {
			t.Errorf("%q was removed", key)
		}
	}
	for _, key := range []string{"bad\xff", strings.Repeat("k", 1025)} {
		_, err := f.Stat(t.Context(), key)
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Invalid || e.Path != key {
			t.Errorf("stat %q: %v", key, err)
		}
	}
	if got, err := read(t.Context(), f, "a/b", driver.OpenOptions{}); err != nil || got != "keep" {
		t.Errorf("a/b holds %q, %v", got, err)
	}
}
