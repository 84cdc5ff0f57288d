package httpfs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/httpfs"
)

func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		url, root, path, pattern string
	}{
		{"http://h/a/b", "http://h", "a/b", "a/b"},
		{"HTTPS://Example.ORG/", "https://example.org", "", ""},
		{"http://h", "http://h", "", ""},
		{"http://h:80/x", "http://h", "x", "x"},
		{"https://h:443/x", "https://h", "x", "x"},
		{"http://h:8080/x", "http://h:8080", "x", "x"},
		{"http://[::1]:81/x", "http://[::1]:81", "x", "x"},
		{"http://h/a%20b%2a.gz?token=a/b", "http://h?token=a/b", "a b*.gz", `a b\*.gz`},
		{"http://h/**/*.gz?x", "http://h?x", "**/*.gz", "**/*.gz"},
		{"http://h/%ff%0a%5c%5B", "http://h", "\xff\n\\[", "\xff\n\\\\\\["},
		{"http://h//a//b/", "http://h", "/a//b/", "/a//b/"},
		{"http://h/a+b", "http://h", "a+b", "a+b"},
	} {
		root, path, err := httpfs.Split(tc.url, false)
		if err != nil || root != tc.root || path != tc.path {
			t.Errorf("Split(%q) = %q, %q, %v; want %q, %q", tc.url, root, path, err, tc.root, tc.path)
		}
		root, pattern, err := httpfs.Split(tc.url, true)
		if err != nil || root != tc.root || pattern != tc.pattern {
			t.Errorf("Split(%q) as a pattern = %q, %q, %v; want %q, %q", tc.url, root, pattern, err, tc.root, tc.pattern)
		}
	}
	for _, url := range []string{
		"ftp://h/x", "http:/h/x", "http:///x", "h/x", "http://h/a#b", "http://h/?q#b", "http://h/%", "http://h/%zz", "http://h/a%2",
		"http://user:secret@h/x", "http://h:port/x", "http://a b/x", "http://:80/x",
	} {
		_, _, err := httpfs.Split(url, false)
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("Split(%q): %v, want an invalid request", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("a password is in the message %q", err)
		}
	}
}

func FuzzJoinSplit(f *testing.F) {
	f.Add("a/b", "q=1")
	f.Add("\xff\n?#%*[/", "")
	f.Add("//x", "a?b")
	f.Fuzz(func(t *testing.T, path, query string) {
		root := "http://h:81"
		if strings.Contains(query, "#") {
			return
		}
		if query != "" {
			root += "?" + query
		}
		gotRoot, got, err := httpfs.Split(httpfs.Join(root, path), false)
		if err != nil || gotRoot != root || got != path {
			t.Errorf("Split(Join(%q, %q)) = %q, %q, %v", root, path, gotRoot, got, err)
		}
		_, pattern, err := httpfs.Split(httpfs.Join(root, path), true)
		if err != nil {
			t.Fatal(err)
		}
		// Join escapes all wildcards but the literal bytes of a pattern stay.
		if ok, err := fsys.MatchPath(pattern, path); !ok && err == nil && !strings.HasSuffix(path, "/") {
			t.Errorf("pattern %q of path %q does not match it", pattern, path)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	for _, root := range []string{"http://h/path", "s3://b", ""} {
		if _, err := httpfs.Open(t.Context(), root, nil); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Open(%q): %v, want an invalid request", root, err)
		}
	}
	f := open(t, "http://127.0.0.1:1", nil)
	if _, err := f.Create(t.Context(), "x", fsysCreate); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("create: %v, want unsupported", err)
	}
	if err := f.Remove(t.Context(), "x"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("remove: %v, want unsupported", err)
	}
}

// A credential in a query does not leave the process.
func TestSecretQueriesHaveNoSpec(t *testing.T) {
	m := fsys.NewMux(map[string]fsys.Backend{"https": httpfs.Backend(nil)})
	defer m.Close()
	for query, secret := range map[string]bool{
		"": false, "?format=csv&page=2": false, "?X-Amz-Signature=abc": true, "?a=1&sig=x": true, "?access_token=x": true,
		"?API%4bey=x": true, "?versionId=7": false,
	} {
		f, _, err := m.Resolve(t.Context(), "https://host/x"+query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Spec(); (fault.KindOf(err) == fault.Refused) != secret || !secret && err != nil {
			t.Errorf("spec of a store with %q: %v", query, err)
		}
	}
}
