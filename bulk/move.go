package bulk

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/task"
)

// A MovePlan says what a move would do.
type MovePlan struct {
	// Steps are those of a copy; the sequence can be consumed once.
	Steps iter.Seq2[Step, error]

	dirs *[]Ref // source directories that may be empty afterwards
}

// PlanMove is [PlanCopy] for a move: the same rules decide where an object
// lands.
func PlanMove(ctx context.Context, mux *fsys.Mux, args []string, dst string, opts *PlanOptions) (*MovePlan, error) {
	m := &MovePlan{dirs: new([]Ref)}
	p := &copyPlan{opts: opts.withDefaults()}
	p.tell = func(dir Ref) {
		if _, local := dir.FS.LocalPath(""); local && !dir.isLink() {
			*m.dirs = append(*m.dirs, dir)
		}
	}
	var err error
	m.Steps, err = p.make(ctx, mux, args, dst)
	return m, err
}

// Move runs a plan of [PlanMove] and returns when all of it has ended. A local
// file is renamed where the operating system can. Everything else is copied
// as by [Copy], and the source is removed once the copy has been committed
// with its size, has passed Verify when that is asked for, and the source is
// still the version that was listed. When it is not, the item fails and both
// stay. Stores cannot remove on a condition: a writer that replaces a source
// between that look and its removal loses what it wrote.
//
// Directories of local files that the plan took whole are removed at the end,
// when they are empty. A symbolic link is renamed as a link, and across
// stores copied as what it points to. Errors are those of [Copy].
func Move(ctx context.Context, plan *MovePlan, opts *Options) (Summary, error) {
	m := &moveRun{copyRun{recorder: newRecorder("move", opts), pin: true}}
	err := each(ctx, m.recorder, plan.Steps, func(st Step) { m.begin(1, st.Src.size()) }, m.one)
	if err == nil {
		err = m.prune(ctx, *plan.dirs)
	}
	return m.finish(err)
}

type moveRun struct{ copyRun }

// one moves one item and records how it ended.
func (m *moveRun) one(ctx context.Context, st Step) {
	ev := Event{Src: st.Src.Ref, Dst: st.Dst, Reason: st.Skip}
	if ev.Reason == "" {
		ev.Bytes, ev.Reason, ev.Err = m.move(ctx, st)
	}
	if ev.Reason != "" {
		ev.Status = Skipped
	}
	m.end(ctx, ev)
}

func (m *moveRun) move(ctx context.Context, st Step) (n int64, skip string, err error) {
	if done, err := m.rename(st); done || err != nil {
		n := max(st.Src.size(), 0)
		if err == nil {
			m.opts.Progress.bytes.Add(n)
		}
		return n, "", err
	}
	n, skip, err = m.copy(ctx, st)
	if err != nil || skip != "" {
		return n, skip, err
	}
	return n, "", m.settle(ctx, st)
}

// rename moves a local file by its name; done is false when that cannot be.
func (m *moveRun) rename(st Step) (done bool, err error) {
	from, ok := st.Src.FS.LocalPath(st.Src.Path)
	to, ok2 := st.Dst.FS.LocalPath(st.Dst.Path)
	if !ok || !ok2 || !sameFS(st.Src.FS, st.Dst.FS) {
		return false, nil
	}
	if a, err := os.Stat(from); err == nil {
		if b, err := os.Stat(to); err == nil && os.SameFile(a, b) {
			return false, fault.New("move", st.Src.URL(), fault.Refused, errors.New("source and destination are the same file"))
		}
	}
	change := os.Rename
	if m.opts.NoClobber {
		change = func(from, to string) error {
			if err := os.Link(from, to); err != nil {
				return err
			}
			return os.Remove(from)
		}
	}
	err = change(from, to)
	if errors.Is(err, os.ErrNotExist) && os.MkdirAll(filepath.Dir(to), 0o777) == nil {
		err = change(from, to)
	}
	return err == nil, nil // a copy says better what is wrong
}

// settle removes the source of a copy that is known to be good.
func (m *moveRun) settle(ctx context.Context, st Step) error {
	if err := task.Requests().Acquire(ctx, 1); err != nil {
		return err
	}
	defer task.Requests().Release(1)
	now, err := st.Src.FS.Stat(ctx, st.Src.Path)
	if err != nil {
		return err
	}
	was := st.Src.Entry
	if now.Version != was.Version || now.Size != was.Size || !now.ModTime.Equal(was.ModTime) && was.Version == "" {
		return fault.New("move", st.Src.URL(), fault.Changed, errors.New("the source was changed while it was copied; it stays"))
	}
	return st.Src.FS.Remove(ctx, st.Src.Path)
}

// prune removes the directories that the move has left empty.
func (m *moveRun) prune(ctx context.Context, dirs []Ref) error {
	for _, level := range levels(dirs) {
		for _, d := range level {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			err := d.FS.Remove(ctx, d.Path)
			switch fault.KindOf(err) {
			case fault.None, fault.NotExist, fault.Exist: // gone, or something is left in it
			default:
				m.begin(1, 0)
				m.end(ctx, Event{Op: "remove", Src: d.Ref, Err: err})
			}
		}
	}
	return nil
}
