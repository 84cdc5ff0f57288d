package s3fs_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/backend/s3fs"
)

func TestSplit(t *testing.T) {
	for _, tc := range []struct{ url, root, path string }{
		{"s3://b/k", "s3://b", "k"},
		{"s3://b", "s3://b", ""},
		{"s3://b/", "s3://b", ""},
		{"S3://b//a/../%20?#\n\xff*", "s3://b", "/a/../%20?#\n\xff*"},
	} {
		for _, pattern := range []bool{false, true} {
			root, path, err := s3fs.Split(tc.url, pattern)
			if err != nil || root != tc.root || path != tc.path {
				t.Errorf("Split(%q) = %q, %q, %v; want %q, %q", tc.url, root, path, err, tc.root, tc.path)
			}
		}
	}
	for _, url := range []string{"s3:/b/k", "s3://", "s3:///k", "b/k", "s3://a b/k", "s3://b@h/k", "s3://../k", "s3://b?x/k"} {
		if _, _, err := s3fs.Split(url, false); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Split(%q): %v, want an invalid request", url, err)
		}
	}
	if got := s3fs.Join("s3://b", "/x"); got != "s3://b//x" {
		t.Errorf("Join = %q", got)
	}
}

// 10,000 parts hold 5 TiB, whether the size is known before or not.
func TestPartSizes(t *testing.T) {
	const tib = 1 << 40
	for _, base := range []int64{5 * mib, 16 * mib, 64 * mib} {
		for _, hint := range []int64{0, 1, 100 * mib, tib, 5 * tib} {
			size := s3fs.PartSize(base, hint)
			if size < base || size*10_000 < hint || hint > 100*tib {
				t.Errorf("PartSize(%d, %d) = %d", base, hint, size)
			}
		}
	}
	var total int64
	for n := range 10_000 {
		total += 16 * mib * int64(1+n/150)
	}
	if total < 5*tib {
		t.Errorf("10,000 parts of unknown size hold %d bytes", total)
	}
}

func FuzzEscapePath(f *testing.F) {
	f.Add("a b/ü?#%\n\xff")
	f.Fuzz(func(t *testing.T, path string) {
		escaped := s3fs.EscapePath("/" + path)
		u := &url.URL{Path: "/" + path, RawPath: escaped}
		if got := u.EscapedPath(); got != escaped {
			t.Errorf("%q goes out as %q, signed as %q", path, got, escaped)
		}
		back, err := url.PathUnescape(escaped)
		if err != nil || back != "/"+path {
			t.Errorf("%q came back as %q, %v", path, back, err)
		}
	})
}

func FuzzParseINI(f *testing.F) {
	f.Add("[profile a]\nregion = x\ns3 =\n  endpoint_url = y\n; c\n[b]\n=\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := s3fs.ParseINI(strings.NewReader(text))
		for title, section := range all {
			for key, value := range section {
				if err == nil && (!strings.Contains(text, value) || strings.ContainsAny(title+key+value, "\n")) {
					t.Errorf("[%s] %s = %q is not in %q", title, key, value, text)
				}
			}
		}
	})
}
