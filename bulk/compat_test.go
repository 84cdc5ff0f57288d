package bulk_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
)

// The tree that the cells are planned over, and what is at the destination: T
// is a directory, F an object, N is missing.
var (
	compatSource = []string{
		"source/file1", "source/file2", "source/subdir/subfile1", "source/subdir/subfile2",
		"source/subdir/nesteddir/nestedfile", "pair/d0/x", "pair/d1/y",
	}
	compatTarget  = []string{"T/old", "F"}
	compatTargets = []string{"T", "T/", "N", "N/", "F"}
)

// What a cell holds: where each object lands, "@" being the target without
// its slash, or the kind of the refusal.
const (
	noDir   = "!is a directory"
	absent  = "!does not exist"
	invalid = "!invalid request"
	nothing = ""

	file    = "source/file1>@"
	fileIn  = "source/file1>@/file1"
	files   = "source/file1>@/file1 source/file2>@/file2"
	subs    = "source/subdir/subfile1>@/subfile1 source/subdir/subfile2>@/subfile2"
	tree    = "source/subdir/nesteddir/nestedfile>@/nesteddir/nestedfile " + subs
	subsIn  = "source/subdir/subfile1>@/subdir/subfile1 source/subdir/subfile2>@/subdir/subfile2"
	treeIn  = "source/subdir/nesteddir/nestedfile>@/subdir/nesteddir/nestedfile " + subsIn
	flat    = "source/subdir/nesteddir/nestedfile>@/nestedfile " + subs
	pair    = "pair/d0/x>@/d0/x pair/d1/y>@/d1/y"
	mixed   = files + " source/subdir/subfile1>@/subfile1"
	twoPair = "source/file1>@/p source/file2>@/q"
)

// A compatRow has the cells of one source and one mode, for each target:
// those of the strict rules and those of fsspec.
type compatRow struct{ strict, compat [5]string }

func all(cell string) [5]string          { return [5]string{cell, cell, cell, cell, cell} }
func allBut(cell, last string) [5]string { return [5]string{cell, cell, cell, cell, last} }

// compatForms are the sources. The rows are: not recursive, recursive, and
// recursive with one level.
var compatForms = []struct {
	name string
	src  []string
	dst  []string // of a list of destinations, below the target
	rows [3]compatRow
}{
	{"object", []string{"source/file1"}, nil, [3]compatRow{
		{[5]string{invalid, fileIn, file, fileIn, file}, [5]string{fileIn, fileIn, file, fileIn, file}},
		{[5]string{invalid, fileIn, file, fileIn, file}, [5]string{fileIn, fileIn, file, fileIn, file}},
		{[5]string{invalid, fileIn, file, fileIn, file}, [5]string{fileIn, fileIn, file, fileIn, file}},
	}},
	{"directory", []string{"source/subdir"}, nil, [3]compatRow{
		{all(noDir), all(nothing)},
		{[5]string{invalid, treeIn, tree, treeIn, invalid}, [5]string{treeIn, treeIn, tree, treeIn, invalid}},
		{[5]string{invalid, subsIn, subs, subsIn, invalid}, [5]string{subsIn, subsIn, subs, subsIn, invalid}},
	}},
	{"directory with slash", []string{"source/subdir/"}, nil, [3]compatRow{
		{all(noDir), all(nothing)},
		{allBut(tree, invalid), allBut(tree, invalid)},
		{allBut(subs, invalid), allBut(subs, invalid)},
	}},
	{"pattern of several", []string{"source/subdir/*"}, nil, [3]compatRow{
		{allBut(subs, invalid), allBut(subs, invalid)},
		{allBut(tree, invalid), allBut(tree, invalid)},
		{allBut(subs, invalid), allBut(subs, invalid)},
	}},
	{"pattern of one object", []string{"source/*1"}, nil, [3]compatRow{
		{allBut(fileIn, invalid), allBut(fileIn, invalid)},
		{allBut(fileIn, invalid), allBut(fileIn, invalid)},
		{allBut(fileIn, invalid), allBut(fileIn, invalid)},
	}},
	{"pattern of one directory", []string{"source/sub*"}, nil, [3]compatRow{
		{allBut(absent, invalid), all(nothing)},
		{allBut(treeIn, invalid), allBut(tree, invalid)},
		{allBut(nothing, invalid), all(nothing)},
	}},
	{"pattern of two directories", []string{"pair/d*"}, nil, [3]compatRow{
		{allBut(absent, invalid), all(nothing)},
		{allBut(pair, invalid), allBut(pair, invalid)},
		{allBut(nothing, invalid), all(nothing)},
	}},
	{"deep pattern", []string{"source/subdir/**"}, nil, [3]compatRow{
		{allBut(tree, invalid), allBut(tree, invalid)},
		{allBut(tree, invalid), allBut(tree, invalid)},
		{allBut(subs, invalid), allBut(subs, invalid)},
	}},
	{"pattern without a match", []string{"source/q*"}, nil, [3]compatRow{
		{allBut(absent, invalid), all(absent)},
		{allBut(absent, invalid), all(absent)},
		{allBut(absent, invalid), all(absent)},
	}},
	{"missing", []string{"source/q"}, nil, [3]compatRow{
		{all(absent), all(absent)}, {all(absent), all(absent)}, {all(absent), all(absent)},
	}},
	{"list of objects", []string{"source/file1", "source/file2"}, nil, [3]compatRow{
		{allBut(files, invalid), allBut(files, invalid)},
		{allBut(files, invalid), allBut(files, invalid)},
		{allBut(files, invalid), allBut(files, invalid)},
	}},
	{"list with a directory", []string{"source/file1", "source/subdir"}, nil, [3]compatRow{
		{all(noDir), allBut(fileIn, invalid)},
		{allBut(fileIn+" "+treeIn, invalid), allBut(fileIn+" "+flat, invalid)},
		{allBut(fileIn+" "+subsIn, invalid), allBut(fileIn+" "+subs, invalid)},
	}},
	{"list with a pattern", []string{"source/file*", "source/subdir/subfile1"}, nil, [3]compatRow{
		{allBut(mixed, invalid), allBut(mixed, invalid)},
		{allBut(mixed, invalid), allBut(mixed, invalid)},
		{allBut(mixed, invalid), allBut(mixed, invalid)},
	}},
	{"list to list", []string{"source/file1", "source/file2"}, []string{"p", "q"}, [3]compatRow{
		{all(twoPair), all(twoPair)}, {all(twoPair), all(twoPair)}, {all(twoPair), all(twoPair)},
	}},
}

// compatCell plans one cell and renders it.
func (w *world) compatCell(src, dst []string, s, d, target string, opts *bulk.PlanOptions) string {
	var args, to []string
	for _, a := range src {
		args = append(args, s+a)
	}
	clean := d + strings.TrimSuffix(target, "/")
	for _, name := range dst {
		to = append(to, clean+"/"+name)
	}
	ctx := context.Background()
	plan, err := bulk.PlanPairs(ctx, w.Mux, args, to, opts)
	if dst == nil {
		plan, err = bulk.PlanCopy(ctx, w.Mux, args, d+target, opts)
	}
	var got []string
	if err == nil {
		for st, perr := range plan {
			if err = perr; err != nil {
				break
			}
			got = append(got, strings.TrimPrefix(st.Src.URL(), s)+">"+strings.Replace(st.Dst.URL(), clean, "@", 1))
		}
	}
	if err != nil {
		return "!" + fault.KindOf(err).String()
	}
	slices.Sort(got)
	return strings.Join(got, " ")
}

// Every cell of the table of 14 sources, 5 targets and 3 modes, by the strict
// rules and by those of fsspec.
func TestCopyTable(t *testing.T) {
	cells := 0
	for _, local := range []bool{false, true} {
		w := newWorld(t)
		s, d := "mem://s/", "mem://d/deep/"
		if local {
			s, d = t.TempDir()+"/", t.TempDir()+"/"
		}
		for _, name := range compatSource {
			w.seed(s + name)
		}
		for _, name := range compatTarget {
			w.seed(d + name)
		}
		for _, form := range compatForms {
			for mode, row := range form.rows {
				opts := bulk.PlanOptions{Recursive: mode > 0, MaxDepth: mode / 2}
				for i, target := range compatTargets {
					for _, compat := range []bool{false, true} {
						want := row.strict[i]
						if compat {
							want = row.compat[i]
						}
						opts.Compat = compat
						got := w.compatCell(form.src, form.dst, s, d, target, &opts)
						if got != want {
							t.Errorf("%s to %s, %+v:\n got %s\nwant %s", form.name, target, opts, got, want)
						}
						cells++
					}
				}
			}
		}
	}
	if cells != 2*2*210 {
		t.Errorf("%d cells, want 210 for each rule and store", cells)
	}
}

// What would lose data is refused by either rule.
func TestCompatGuards(t *testing.T) {
	w := newWorld(t)
	w.seed("mem://s/a/f", "mem://s/b/f", "mem://d/x")
	for i, c := range []struct {
		src []string
		dst string
	}{{[]string{"mem://s/a/f", "mem://s/b/f"}, "mem://d/n"}, {[]string{"mem://s/a/f"}, "mem://s/a"}} {
		_, err := bulk.PlanCopy(t.Context(), w.Mux, c.src, c.dst, &bulk.PlanOptions{Compat: true})
		if fault.KindOf(err) != fault.Refused {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestPlanPairs(t *testing.T) {
	w := newWorld(t)
	w.seed("mem://s/a", "mem://s/b*", "mem://s/d/x", "mem://d/x")
	for _, c := range []struct {
		src, dst string
		want     fault.Kind
	}{
		{"mem://s/a mem://s/b*", "mem://d/p/q mem://d/a", fault.None},
		{"mem://s/a mem://s/b*", "mem://d/p", fault.Invalid},
		{"", "", fault.Invalid},
		{"mem://s/q", "mem://d/q", fault.NotExist},
		{"mem://s/d", "mem://d/q", fault.IsDir},
		{"mem://s/a mem://s/b*", "mem://d/p mem://d/p", fault.Refused},
		{"mem://s/a", "mem://s/a", fault.Refused},
	} {
		plan, err := bulk.PlanPairs(t.Context(), w.Mux, strings.Fields(c.src), strings.Fields(c.dst), nil)
		if fault.KindOf(err) != c.want {
			t.Errorf("%s to %s: %v", c.src, c.dst, err)
		}
		if err == nil {
			if sum, err := bulk.Copy(t.Context(), plan, nil); err != nil || sum.Done != 2 {
				t.Errorf("%+v, %v", sum, err)
			}
		}
	}
	diff(t, "tree", w.tree("mem://d"), map[string]string{"x": "mem://d/x", "a": "mem://s/b*", "p/q": "mem://s/a"})
}
