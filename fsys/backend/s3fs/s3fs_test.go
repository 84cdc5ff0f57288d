package s3fs_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/leat-dev/leat/fsys/backend/s3fs"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/drivertest"
	"github.com/leat-dev/leat/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// options returns what connects to a test server, whatever the environment
// of the person who runs the tests has.
func options(t *testing.T, s *testenv.S3Server) *s3fs.Options {
	t.Helper()
	quiet(t)
	return &s3fs.Options{Endpoint: s.Endpoint, AccessKey: s.AccessKey, SecretKey: s.SecretKey, Region: s.Region}
}

// quiet hides the AWS settings of the machine.
func quiet(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY", "AWS_SECRET_KEY",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "LEAT_S3_ODD_KEYS",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
}

// open returns a fresh bucket.
func open(t *testing.T, opts *s3fs.Options, bucket string) *s3fs.FS {
	t.Helper()
	f, err := s3fs.Open(t.Context(), "s3://"+bucket, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func fresh(t *testing.T) (*s3fs.FS, *testenv.S3Server, string) {
	t.Helper()
	s := testenv.S3(t)
	bucket := s.Bucket(t)
	return open(t, options(t, s), bucket), s, bucket
}

func TestConformance(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		f, _, _ := fresh(t)
		return drivertest.Harness{
			FS: f, BadName: badName,
			Leftovers: func(t *testing.T) []string { return s3fs.Uploads(t, f) },
		}
	})
}

// badName reports what S3 does not have, and what the test server, which
// keeps keys as files, does not.
func badName(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return true
		}
	}
	return !utf8.ValidString(path) || strings.Contains(path, "\x01")
}

func write(t *testing.T, f *s3fs.FS, path, data string) driver.Entry {
	t.Helper()
	w, err := f.Create(t.Context(), path, driver.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Abort() }()
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatal(err)
	}
	e, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func read(ctx context.Context, f *s3fs.FS, path string, opts driver.OpenOptions) (string, error) {
	r, err := f.Open(ctx, path, opts)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(r)
	return string(b), err
}
