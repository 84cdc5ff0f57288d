package datafs_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/datafs"
	"github.com/leat-dev/leat/fsys/driver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDecode(t *testing.T) {
	for path, want := range map[string]string{
		",hello": "hello", ",": "", ";base64,": "", ",a%20b%2Cc,d": "a b,c,d", ",a+b": "a+b", ",\xff\n": "\xff\n", ",%ff%FF": "\xff\xff",
		"text/plain;charset=utf-8,é": "é", ";base64,aGVsbG8=": "hello", ";base64,aGVsbG8": "hello", "x/y;BASE64,aGVs%0AbG8%3D": "hello",
		";base64,-_-_": "\xfb\xff\xbf", ";base64,+/+/": "\xfb\xff\xbf", ";base64;x,aGVsbG8=": "aGVsbG8=", ";base64, a G V s ": "hel",
	} {
		if got, err := datafs.Decode(path); err != nil || string(got) != want {
			t.Errorf("Decode(%q) = %q, %v, want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"", "hello", ",%", ",%a", ",%zz", ";base64,a", ";base64,=", ";base64,aGVsbG8===", ";base64,a*b=", ",a#b"} {
		if got, err := datafs.Decode(path); err == nil {
			t.Errorf("Decode(%q) = %q, want an error", path, got)
		}
	}
}

func TestMux(t *testing.T) {
	m := fsys.NewMux(map[string]fsys.Backend{"data": datafs.Backend()})
	defer m.Close()
	n := 0
	for match, err := range m.Glob(t.Context(), "data:,a*[b?", nil) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		got, err := match.FS.ReadRange(t.Context(), match.Entry.Path, 1, 2)
		if err != nil || string(got) != "*[" || match.URL != "data:,a*[b?" {
			t.Errorf("%+v holds %q, %v", match, got, err)
		}
	}
	if n != 1 {
		t.Errorf("%d matches", n)
	}
	f, path, err := m.Resolve(t.Context(), "DATA:,0123456789")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		off, n int64
		want   string
	}{{0, -1, "0123456789"}, {-3, -1, "789"}, {-3, 2, "78"}, {20, 5, ""}, {8, 100, "89"}} {
		if got, err := f.ReadRange(t.Context(), path, c.off, c.n); err != nil || string(got) != c.want {
			t.Errorf("range %d+%d = %q, %v", c.off, c.n, got, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	f := datafs.New()
	ctx, cancel := context.WithCancel(t.Context())
	_, createErr := f.Create(ctx, ",x", driver.CreateOptions{})
	_, openErr := f.Open(ctx, "x", driver.OpenOptions{})
	_, changedErr := f.Open(ctx, ",x", driver.OpenOptions{Version: "2"})
	var listErr error
	for _, listErr = range f.List(ctx, "", driver.ListOptions{}) {
	}
	cancel()
	_, canceledErr := f.Stat(ctx, ",x")
	f.Close()
	_, closedErr := f.Stat(t.Context(), ",x")
	for i, c := range []struct {
		err  error
		kind fault.Kind
	}{
		{createErr, fault.Unsupported}, {f.Remove(ctx, ",x"), fault.Unsupported}, {listErr, fault.Unsupported},
		{openErr, fault.Invalid}, {changedErr, fault.Changed}, {canceledErr, fault.Canceled}, {closedErr, fault.Invalid},
	} {
		if fault.KindOf(c.err) != c.kind {
			t.Errorf("%d: %v, want %v", i, c.err, c.kind)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("text/plain", []byte("hello, w%20\x00\xff"))
	f.Fuzz(func(t *testing.T, head string, data []byte) {
		_, _ = datafs.Decode(head) // does not panic
		if strings.Contains(head, ",") {
			return
		}
		for _, path := range []string{head + ";base64," + base64.StdEncoding.EncodeToString(data), head + ";x," + url.PathEscape(string(data))} {
			if got, err := datafs.Decode(path); err != nil || !bytes.Equal(got, data) {
				t.Errorf("Decode(%q) = %q, %v, want %q", path, got, err, data)
			}
		}
	})
}
