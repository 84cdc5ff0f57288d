package lint_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/leat-dev/leat/internal/lint"
)

// cases are small sources. Each rule has some that break it, with the place
// and the first words of the finding, and some that come close but do not.
var cases = []struct {
	rule  string
	files map[string]string
	want  []string
}{
	{"layers", map[string]string{"fault/a.go": `package fault; import _ "github.com/leat-dev/leat/task"`},
		[]string{"fault/a.go:1: layers: fault may not import task"}},
	{"layers", map[string]string{"task/a.go": `package task; import _ "github.com/leat-dev/leat/fault"`}, nil},
	{"layers", map[string]string{"task/a_test.go": `package task; import _ "github.com/leat-dev/leat/bulk"`}, nil},
	{"layers", map[string]string{"fsys/backend/memfs/a.go": `package memfs; import _ "github.com/leat-dev/leat/fsys/backend/localfs"`},
		[]string{"fsys/backend/memfs/a.go:1: layers: fsys/backend/memfs may not import fsys/backend/localfs"}},
	{"layers", map[string]string{"fsys/backend/a.go": `package backend; import _ "github.com/leat-dev/leat/fsys/backend/localfs"`}, nil},
	{"layers", map[string]string{"bulk/a.go": `package bulk; import _ "github.com/leat-dev/leat"`},
		[]string{"bulk/a.go:1: layers: bulk may not import "}},
	{"layers", map[string]string{"internal/cli/a.go": `package cli; import _ "github.com/leat-dev/leat/internal/testenv"`},
		[]string{"internal/cli/a.go:1: layers: internal/testenv is for test files only"}},
	{"layers", map[string]string{"plumbing/a.go": `package plumbing`},
		[]string{"plumbing: layers: package is not in the layer table"}},

	{"modules", map[string]string{"task/a.go": `package task; import _ "golang.org/x/sync/errgroup"`},
		[]string{"task/a.go:1: modules: task may not import golang.org/x/sync/errgroup"}},
	{"modules", map[string]string{"fsys/a_test.go": `package fsys; import _ "github.com/minio/minio-go/v7"`},
		[]string{"fsys/a_test.go:1: modules: fsys may not import github.com/minio/minio-go/v7"}},
	{"modules", map[string]string{"bulk/a.go": `package bulk; import _ "go.uber.org/goleak"`},
		[]string{"bulk/a.go:1: modules: bulk may not import go.uber.org/goleak"}},
	{"modules", map[string]string{"cluster/a.go": `package cluster; import _ "github.com/nats-io/nats-server/v2/server"`},
		[]string{"cluster/a.go:1: modules: cluster may not import github.com/nats-io/nats-server"}},
	{"modules", map[string]string{
		"bulk/a_test.go":            `package bulk; import _ "go.uber.org/goleak"`,
		"fsys/backend/s3fs/a.go":    `package s3fs; import _ "github.com/minio/minio-go/v7/pkg/credentials"`,
		"internal/natsd/a.go":       `package natsd; import _ "github.com/nats-io/nats-server/v2/server"`,
		"fsys/backend/httpfs/a.go":  `package httpfs; import _ "golang.org/x/net/html"`,
		"internal/cli/cli.go":       `package cli; import _ "github.com/spf13/cobra"`,
		"fsys/drivertest/suites.go": `package drivertest; import _ "go.uber.org/goleak"`,
	}, nil},

	{"pkgname", map[string]string{"bulk/util/a.go": `package util`},
		[]string{"bulk/util/a.go:1: pkgname: package util: name it"}},
	{"pkgname", map[string]string{"bulk/a.go": `package mass`},
		[]string{"bulk/a.go:1: pkgname: package mass is in folder bulk"}},
	{"pkgname", map[string]string{"a.go": `package leat`, "cmd/leat/main.go": `package main`, "bulk/a_test.go": `package bulk_test`}, nil},

	{"pkgdoc", map[string]string{"bulk/doc.go": `package bulk`},
		[]string{"bulk: pkgdoc: want one package comment"}},
	{"pkgdoc", map[string]string{"bulk/doc.go": "// Package bulk is.\npackage bulk", "bulk/a.go": "// Package bulk is.\npackage bulk"},
		[]string{"bulk: pkgdoc: want one package comment"}},
	{"pkgdoc", map[string]string{"bulk/bulk.go": "// Package bulk is.\npackage bulk"},
		[]string{"bulk/bulk.go:1: pkgdoc: move the package comment"}},
	{"pkgdoc", map[string]string{"bulk/doc.go": "// Bulk is.\npackage bulk"},
		[]string{"bulk/doc.go:1: pkgdoc: begin with \"Package bulk\""}},
	{"pkgdoc", map[string]string{"cmd/leat/main.go": "// Leat is.\npackage main", "bulk/doc.go": "// Package bulk is.\npackage bulk", "bulk/a.go": "package bulk"}, nil},

	{"exported", map[string]string{"bulk/a.go": "package bulk\nfunc Copy() {}\n"},
		[]string{"bulk/a.go:2: exported: Copy needs"}},
	{"exported", map[string]string{"bulk/a.go": "package bulk\n// Copies things.\nfunc Copy() {}\n"},
		[]string{"bulk/a.go:3: exported: Copy needs"}},
	{"exported", map[string]string{"bulk/a.go": "package bulk\ntype T[V any] struct{}\nfunc (t *T[V]) Run() {}\n"},
		[]string{"bulk/a.go:2: exported: T needs", "bulk/a.go:3: exported: Run needs"}},
	{"exported", map[string]string{"bulk/a.go": "package bulk\nconst (\n\tA = 1\n)\nvar B int\n"},
		[]string{"bulk/a.go:3: exported: A needs", "bulk/a.go:5: exported: B needs"}},
	{"exported", map[string]string{"bulk/a.go": "package bulk\n// A T is.\ntype T interface {\n\tRun()\n}\n"},
		[]string{"bulk/a.go:4: exported: T.Run needs a comment"}},
	{"exported", map[string]string{"bulk/a.go": "package bulk\n// A T is.\ntype T interface {\n\t// It runs.\n\tRun()\n}\n" +
		"type t struct{}\nfunc (t) Run() {}\n// The kinds.\nconst (\n\tA = 1\n)\nconst (\n\tB = 1 // is one\n)\nfunc run() {}\n",
		"bulk/a_test.go": "package bulk\nfunc TestX() {}\n", "cmd/leat/main.go": "package main\nfunc Main() {}\n"}, nil},

	{"length", map[string]string{"bulk/a.go": "package bulk\n" + strings.Repeat("\n", 600)},
		[]string{"bulk/a.go: length: 601 lines, more than 600"}},
	{"length", map[string]string{"fsys/drivertest/a.go": "package drivertest\n" + strings.Repeat("\n", 1000)},
		[]string{"fsys/drivertest/a.go: length: 1001 lines, more than 1000"}},
	{"length", map[string]string{"bulk/a.go": "package bulk\n" + strings.Repeat("\n", 599), "bulk/a_test.go": "package bulk\n" + strings.Repeat("\n", 2000),
		"fsys/drivertest/a.go": "package drivertest\n" + strings.Repeat("\n", 999)}, nil},

	{"goroutine", map[string]string{"bulk/a.go": "package bulk\nfunc f() {\n\tgo f()\n}\n"},
		[]string{"bulk/a.go:3: goroutine: say who"}},
	{"goroutine", map[string]string{"bulk/a.go": "package bulk\n// owner: f\nfunc f() {\n\tx := 1\n\t_ = x\n\tgo f()\n}\n"},
		[]string{"bulk/a.go:6: goroutine: say who"}},
	{"goroutine", map[string]string{"bulk/a.go": "package bulk\nfunc f() {\n\t// owner: the caller, which waits in g.\n\tgo f()\n}\n",
		"task/a.go": "package task\nfunc f() { go f() }\n", "bulk/a_test.go": "package bulk\nfunc g() { go g() }\n"}, nil},

	{"sleep", map[string]string{"bulk/a_test.go": "package bulk\nimport \"time\"\nfunc f() { time.Sleep(1) }\n"},
		[]string{"bulk/a_test.go:3: sleep: wait for"}},
	{"sleep", map[string]string{"bulk/a_test.go": "package bulk\nimport clock \"time\"\nvar nap = clock.Sleep\n"},
		[]string{"bulk/a_test.go:3: sleep: wait for"}},
	{"sleep", map[string]string{"bulk/a_test.go": "package bulk\nimport (\n\"time\"\n\"testing/synctest\"\n)\nfunc f() { synctest.Test(t, func() { time.Sleep(1) }) }\n" +
		"func g() {\n\t// called in a synctest bubble\n\ttime.Sleep(1)\n}\n",
		"bulk/a.go": "package bulk\nimport \"time\"\nfunc f() { time.Sleep(1) }\n"}, nil},

	{"skip", map[string]string{"bulk/a_test.go": "package bulk\nfunc f() { t.Skip() }\n"},
		[]string{"bulk/a_test.go:2: skip: say why"}},
	{"skip", map[string]string{"bulk/a_test.go": "package bulk\nfunc f() { b.SkipNow(); t.Skip(\"\") }\n"},
		[]string{"bulk/a_test.go:2: skip: say why", "bulk/a_test.go:2: skip: say why"}},
	{"skip", map[string]string{"bulk/a_test.go": "package bulk\nfunc f() { t.Skip(\"needs nginx\"); r.Skip() }\n"}, nil},

	{"pure", map[string]string{"sched/a.go": "package sched\nfunc f() { go f() }\n"},
		[]string{"sched/a.go:2: pure: sched may not start goroutines"}},
	{"pure", map[string]string{"sched/a.go": "package sched\nimport \"time\"\nvar t = time.Now()\n"},
		[]string{"sched/a.go:3: pure: sched may not call time.Now"}},
	{"pure", map[string]string{"sched/a.go": "package sched\nimport (\n\"net/http\"\n\"os\"\n)\n"},
		[]string{"sched/a.go:3: pure: sched may not import net/http", "sched/a.go:4: pure: sched may not import os"}},
	{"pure", map[string]string{"sched/a.go": "package sched\nimport (\n\"time\"\n\"container/heap\"\n)\nvar t time.Duration\n",
		"sched/a_test.go": "package sched\nimport \"os\"\n", "cluster/a.go": "package cluster\nimport \"os\"\n"}, nil},

	{"unfinished", map[string]string{"bulk/a.go": "package bulk\n// " + "TO" + "DO: more\n"},
		[]string{"bulk/a.go:2: unfinished: TO" + "DO: do it"}},
	{"unfinished", map[string]string{"bulk/a.go": "package bulk\n// TODOS are a list.\nvar s = \"TO" + "DO\"\n"}, nil},

	{"contexts", map[string]string{"bulk/a.go": "package bulk\nimport \"context\"\nfunc f(a int, ctx context.Context) {}\n"},
		[]string{"bulk/a.go:3: contexts: f: the context comes first"}},
	{"contexts", map[string]string{"bulk/a.go": "package bulk\nimport (\n\"context\"\n\"testing\"\n)\nfunc f(t testing.TB, n int, ctx context.Context) {}\n"},
		[]string{"bulk/a.go:6: contexts: f: the context comes first"}},
	{"contexts", map[string]string{"bulk/a.go": "package bulk\nimport (\n\"context\"\n\"testing\"\n)\n" +
		"func f(ctx context.Context, n int) {}\nfunc g(t *testing.T, ctx context.Context) {}\nfunc h() {}\n"}, nil},
}

func TestRules(t *testing.T) {
	rules := map[string]lint.Rule{}
	for _, r := range lint.Rules() {
		rules[r.Name] = r
	}
	broken := map[string]bool{}
	for _, tc := range cases {
		broken[tc.rule] = broken[tc.rule] || len(tc.want) > 0
		tree := load(t, tc.files)
		got := rules[tc.rule].Find(tree)
		if len(got) != len(tc.want) {
			t.Errorf("%s on %q: got %v, want %v", tc.rule, tc.files, got, tc.want)
			continue
		}
		for i, f := range got {
			if !strings.HasPrefix(f.String(), tc.want[i]) {
				t.Errorf("%s on %q: got %q, want %q", tc.rule, tc.files, f, tc.want[i])
			}
		}
	}
	for name := range rules {
		if !broken[name] {
			t.Errorf("no case breaks rule %s", name)
		}
	}
}

func TestLoad(t *testing.T) {
	tree := load(t, map[string]string{
		"bulk/a.go":           "package bulk\n",
		"bulk/testdata/b.go":  "package b\n",
		".hidden/c.go":        "package c\n",
		"tools/go.mod":        "module tools\n",
		"tools/d.go":          "package d\n",
		"bulk/notes.txt":      "package e\n",
		"bulk/a_windows.go":   "//go:build windows\n\npackage bulk\n",
		"bulk/other_test.go":  "package bulk\n",
		"cluster/x/_old/f.go": "package f\n",
	})
	var names []string
	for _, f := range tree.Files {
		names = append(names, f.Name)
	}
	if got, want := strings.Join(names, " "), "bulk/a.go bulk/a_windows.go bulk/other_test.go"; got != want {
		t.Errorf("files: got %s, want %s", got, want)
	}
	if _, err := lint.Load(fstest.MapFS{"a.go": {Data: []byte("packag a")}}); err == nil {
		t.Error("a file that does not parse: no error")
	}
}

func TestLinksRule(t *testing.T) {
	const text = "[a](b.md#x) [c](https://c/) [d](#d)\n```\n[q](quoted)\n```\n[e](../gone.go)\n"
	found, err := lint.Links(fstest.MapFS{
		"docs/a.md": {Data: []byte(text)},
		"docs/b.md": {},
		".x/c.md":   {Data: []byte("[a](gone)")},
	})
	if err != nil || len(found) != 1 || found[0].String() != "docs/a.md:5: links: ../gone.go does not exist" {
		t.Errorf("got %v, %v", found, err)
	}
}

// load makes a tree from sources in memory.
func load(t *testing.T, files map[string]string) *lint.Tree {
	t.Helper()
	m := fstest.MapFS{}
	for name, src := range files {
		m[name] = &fstest.MapFile{Data: []byte(src)}
	}
	tree, err := lint.Load(m)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
