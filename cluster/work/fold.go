package work

import (
	"context"
	"fmt"
	"io"
)

func builtinReducers() map[string]func(string) (Reducer, error) {
	return map[string]func(string) (Reducer, error){
		"sum":    parseSum,
		"top":    parseTop,
		"concat": plain(concatReducer{}),
		"sort":   plain(sortReducer{}),
	}
}

// plain returns the parser of a reducer without parameters.
func plain(r Reducer) func(string) (Reducer, error) {
	return func(param string) (Reducer, error) {
		if param != "" {
			return nil, fmt.Errorf("it takes no parameter, got %q", param)
		}
		return r, nil
	}
}

// An absorber takes over what another fold of its kind has gathered, which
// is cheaper than encoding and merging it.
type absorber interface {
	// absorb reports whether the other was of the kind. It is only closed
	// afterwards.
	absorb(other Fold) (bool, error)
}

// absorb moves what from has gathered into the fold to.
func absorb(to, from Fold, dir string) error {
	if a, ok := to.(absorber); ok {
		if done, err := a.absorb(from); done {
			return err
		}
	}
	s := &spool{dir: dir}
	defer s.Close()
	if err := from.Encode(s); err != nil {
		return err
	}
	r, err := s.section(0, s.size)
	if err != nil {
		return err
	}
	return to.Merge(r)
}

// A commandFold folds with a command line: the results, or the partials, on
// standard input give the partial on standard output.
type commandFold struct {
	ctx      context.Context // of the lease or merge that the fold serves
	runner   *Runner
	spec     *Spec
	gathered concatFold
	partials int // how many of the entries are partials
}

func newCommandFold(ctx context.Context, r *Runner, s *Spec) *commandFold {
	return &commandFold{ctx: ctx, runner: r, spec: s, gathered: concatFold{data: spool{dir: r.opts.TempDir}}}
}

func (f *commandFold) Add(index uint64, name string, value []byte) error {
	return f.gathered.Add(index, name, value)
}

func (f *commandFold) Merge(partial io.Reader) error {
	data := &f.gathered.data
	e := entry{index: uint64(f.partials), off: data.size}
	tail := &lastByte{}
	n, err := io.Copy(io.MultiWriter(data, tail), partial)
	if err != nil {
		return badPartial(err)
	}
	e.n, e.last = n, tail.b
	f.gathered.entries = append(f.gathered.entries, e)
	f.partials++
	return nil
}

// lastByte remembers the last byte written.
type lastByte struct{ b byte }

// Write implements io.Writer.
func (l *lastByte) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.b = p[len(p)-1]
	}
	return len(p), nil
}

// Encode runs the command; a single partial is passed on as it is.
func (f *commandFold) Encode(w io.Writer) error {
	if f.partials == 1 && len(f.gathered.entries) == 1 {
		return f.gathered.Final(w)
	}
	in, err := f.input()
	if err != nil {
		return err
	}
	return f.runner.execute(f.ctx, &process{
		argv: []string{"/bin/sh", "-c", f.spec.ReduceCommand}, dir: f.spec.Dir, env: f.spec.Env,
		stdin: in, stdout: w,
	})
}

// input returns the entries one after the other, each ended by a newline
// unless it is the last.
func (f *commandFold) input() (io.Reader, error) {
	var parts []io.Reader
	err := f.gathered.each(func(e entry, r io.Reader) error {
		parts = append(parts, r)
		if e.n > 0 && e.last != '\n' {
			parts = append(parts, &memory{newline})
		}
		return nil
	})
	return io.MultiReader(parts...), err
}

var newline = []byte{'\n'}

func (f *commandFold) Final(w io.Writer) error { return f.Encode(w) }

func (f *commandFold) absorb(other Fold) (bool, error) {
	o, ok := other.(*commandFold)
	if !ok || o.partials > 0 || f.partials > 0 {
		return false, nil
	}
	return f.gathered.absorb(&o.gathered)
}

func (f *commandFold) Close() error { return f.gathered.Close() }
