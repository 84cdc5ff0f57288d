package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/fsys/backend/memfs"
)

// prepare fills mem://big with as many small objects as LEAT_E2E_MEM says;
// the store lives in the process of the program.
func prepare() {
	n, _ := strconv.Atoi(os.Getenv("LEAT_E2E_MEM"))
	big := fsys.New(memfs.Open("big"), "mem://big")
	for i := range n {
		if _, err := big.WriteFile(context.Background(), fmt.Sprintf("dir%03d/object-%07d", i/10000, i), []byte("12345678")); err != nil {
			panic(err)
		}
	}
}

// TestMillionInputs maps over a million objects within 300 MB.
func TestMillionInputs(t *testing.T) {
	n := 1_000_000
	if raceEnabled {
		n = 50_000 // the detector multiplies time and memory; without it the test is whole
	}
	env := []string{fmt.Sprint("LEAT_E2E_MEM=", n)}
	for _, tc := range []struct {
		name  string
		lines int
		args  []string
	}{
		{"dry run", n, []string{"map", "--dry-run", "--func", "bytes", "mem://big/**"}},
		{"bytes", n, []string{"map", "--func", "bytes", "mem://big/**"}},
		{"sum of bytes", 1, []string{"map", "--func", "bytes", "--reduce", "sum", "mem://big/**"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := start(t, env, tc.args...)
			if code := p.wait(); code != 0 {
				t.Fatalf("exit code %d: %s", code, p.stderr())
			}
			if got := strings.Count(p.stdout(), "\n"); got != tc.lines {
				t.Errorf("%d lines, want %d", got, tc.lines)
			}
			if tc.lines == 1 && p.stdout() != fmt.Sprintln(8*n) {
				t.Errorf("sum %q, want %d", p.stdout(), 8*n)
			}
			t.Logf("%d MB resident", p.maxRSS()>>20)
			if limit := int64(300 << 20); p.maxRSS() > limit && !raceEnabled {
				t.Errorf("%d MB resident, want at most %d", p.maxRSS()>>20, limit>>20)
			}
		})
	}
}

// TestPrintsWhileListing holds back the end of a listing until the first
// results are out.
func TestPrintsWhileListing(t *testing.T) {
	for _, flags := range [][]string{{"--dry-run", "--func", "bytes"}, {"--func", "bytes"}} {
		t.Run(flags[0], func(t *testing.T) {
			gate := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				switch {
				case r.URL.Path == "/":
					fmt.Fprintln(w, `<pre><a href="a/">a/</a> <a href="b/">b/</a></pre>`)
				case r.URL.Path == "/b/":
					select {
					case <-gate:
					case <-r.Context().Done():
					}
					fallthrough
				case r.URL.Path == "/a/":
					fmt.Fprintln(w, `<pre><a href="one.txt">one.txt</a> <a href="two.txt">two.txt</a></pre>`)
				default:
					w.Header().Set("Content-Type", "text/plain")
					fmt.Fprint(w, "hello")
				}
			}))
			defer srv.Close()
			p := start(t, nil, append(append([]string{"map"}, flags...), srv.URL+"/**/*.txt")...)
			p.until("first result", func() bool { return strings.Contains(p.stdout(), "/a/one.txt") })
			close(gate)
			if code := p.wait(); code != 0 {
				t.Fatalf("exit code %d: %s", code, p.stderr())
			}
			if n := strings.Count(p.stdout(), "\n"); n != 4 {
				t.Errorf("%d lines, want 4:\n%s", n, p.stdout())
			}
		})
	}
}
