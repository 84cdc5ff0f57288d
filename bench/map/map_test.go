package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	var b strings.Builder
	if err := run(t.Context(), options{inputs: 5000, workers: 2, rounds: 1}, &b); err != nil {
		t.Fatal(err)
	}
	for _, m := range modes {
		if !strings.Contains(b.String(), "| "+m.name+" | ") {
			t.Errorf("no row for %q in\n%s", m.name, &b)
		}
	}
}
