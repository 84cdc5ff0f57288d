package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestLimit(t *testing.T) {
	o := options{objects: 10_000, delay: 20 * time.Millisecond}
	for jobs, want := range map[int]time.Duration{
		1: 200 * time.Second, 64: 157 * 20 * time.Millisecond, 10_000: 20 * time.Millisecond, 20_000: 20 * time.Millisecond,
	} {
		if got := limit(o, jobs); got != want {
			t.Errorf("%d in flight: got %v, want %v", jobs, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	o := options{op: "get", objects: 100, delay: 10 * time.Millisecond, tools: []string{"leat-cat", "s5cmd-cp"}, jobs: []int{50}}
	runs := [][]sample{
		{{wall: 3 * time.Second}, {wall: time.Second, rssMB: 7}, {wall: 500 * time.Millisecond}},
		{{wall: 2 * time.Second}},
	}
	var b strings.Builder
	if err := table(&b, o, variants(o), runs); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| leat-cat | 50 | 1.00 [0.50-3.00] | 0.02 | 50.00 | 0.00 | 7 |\n",
		"| s5cmd-cp | 50 | 2.00 [2.00-2.00] | 0.02 | 100.00 | 0.00 | 0 |\n",
		"leat-cat 1.00 s, s5cmd-cp 2.00 s (2.00 of leat-cat).",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}

func TestSign(t *testing.T) {
	req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:9000/objects/object-000001", nil)
	if err != nil {
		t.Fatal(err)
	}
	sign(req, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	first := req.Header.Get("Authorization")
	if !strings.HasPrefix(first, "AWS4-HMAC-SHA256 Credential=leatbench/20260102/us-east-1/s3/aws4_request, ") {
		t.Errorf("authorization %q", first)
	}
	req.URL.Path += "2"
	sign(req, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if req.Header.Get("Authorization") == first {
		t.Error("the signature does not depend on the path")
	}
}
