package bulk

import (
	"context"
	"iter"
	"strings"

	"github.com/leat-dev/leat/fsys"
)

// A Usage is how much is below a directory.
type Usage struct {
	Ref
	// Objects counts all objects below the directory, at any depth.
	Objects int64
	// Bytes is their size; Unsized counts those whose size is not known and
	// not in it.
	Bytes, Unsized int64
	// Depth is 0 for what was named, 1 for directories directly below it.
	Depth int
}

func (u *Usage) add(e fsys.Entry) {
	u.Objects++
	if e.Size < 0 {
		u.Unsized++
	} else {
		u.Bytes += e.Size
	}
}

// Du adds up what is below dir and yields the directories in it, each behind
// those inside it, and dir itself last. Objects that filter leaves out do not
// count, nor does what is neither object nor directory. Directories of more
// than depth levels below dir are only counted; negative means all are
// yielded. An object named as dir is yielded as it is. An error is the last
// pair. It holds one Usage for each level in memory.
func Du(ctx context.Context, dir Ref, depth int, filter *Filter) iter.Seq2[Usage, error] {
	return func(yield func(Usage, error) bool) {
		if err := filter.Check(); err != nil {
			yield(Usage{}, err)
			return
		}
		e, err := dir.FS.Stat(ctx, dir.Path)
		if err != nil {
			yield(Usage{}, err)
			return
		}
		d := &duRun{depth: depth, yield: yield, open: []Usage{{Ref: dir}}}
		if e.Kind != fsys.Dir {
			if filter.Match(base(dir.Path), e) {
				d.open[0].add(e)
			}
			yield(d.open[0], nil)
			return
		}
		for e, err := range dir.FS.List(ctx, dir.Path, &fsys.ListOptions{Recursive: true}) {
			if err != nil {
				yield(Usage{}, err)
				return
			}
			if !d.enter(e) {
				return
			}
			if e.Kind == fsys.File && filter.Match(relative(e.Path, dir.Path), e) {
				d.open[len(d.open)-1].add(e)
			}
		}
		for d.close() {
		}
	}
}

// A duRun walks a listing in byte order: everything in a directory stands
// together, so that only those around the last entry are open.
type duRun struct {
	depth int
	yield func(Usage, error) bool
	open  []Usage // the directory that was named, and those above the last entry
}

// enter closes the directories that e is not in and opens those it is in.
func (d *duRun) enter(e fsys.Entry) bool {
	for len(d.open) > 1 && !below(e.Path, d.open[len(d.open)-1].Path) {
		if !d.close() {
			return false
		}
	}
	top := d.open[len(d.open)-1]
	from := 0
	if top.Path != "" {
		from = len(top.Path) + 1
	}
	for i := from; i < len(e.Path); i++ {
		if e.Path[i] == '/' {
			d.push(e.Path[:i])
		}
	}
	if e.Kind == fsys.Dir {
		d.push(strings.TrimSuffix(e.Path, "/"))
	}
	return true
}

func (d *duRun) push(path string) {
	d.open = append(d.open, Usage{Ref: Ref{d.open[0].FS, path}, Depth: len(d.open)})
}

// close yields the innermost directory and adds it to the one around it;
// false when none is left or the consumer breaks out.
func (d *duRun) close() bool {
	n := len(d.open) - 1
	u := d.open[n]
	d.open = d.open[:n]
	if n > 0 {
		up := &d.open[n-1]
		up.Objects += u.Objects
		up.Bytes += u.Bytes
		up.Unsized += u.Unsized
	}
	if d.depth < 0 || u.Depth <= d.depth {
		return d.yield(u, nil) && n > 0
	}
	return true
}
