package work

import (
	"bytes"
	"context"
	"io"
)

// A Reducer makes folds. It is safe for concurrent use.
type Reducer interface {
	// New returns an empty fold. What does not fit in memory goes to
	// temporary files in dir; empty means that of the system.
	New(dir string) Fold
}

// A Fold gathers results. It belongs to one goroutine at a time. Folds of a
// reducer agree: any split of the results over folds, merged in any tree,
// gives the same final bytes, with the one exception of reduce commands,
// where that is up to the command.
type Fold interface {
	// Add takes the result of the input with the given index. The value is
	// not kept.
	Add(index uint64, name string, value []byte) error
	// Merge takes what another fold encoded.
	Merge(partial io.Reader) error
	// Encode writes the partial. The fold is not used afterwards but to be
	// closed.
	Encode(w io.Writer) error
	// Final writes the result. The fold is not used afterwards but to be
	// closed.
	Final(w io.Writer) error
	// Close removes temporary files. A second Close does nothing.
	Close() error
}

// EmptyResult returns the result of the job's reduce when no input
// succeeded. That of a command is empty: the command is not run.
func EmptyResult(s *Spec) ([]byte, error) {
	if s.Reduce == "" {
		return nil, nil
	}
	r, err := LookupReducer(s.Reduce)
	if err != nil {
		return nil, err
	}
	f := r.New("")
	defer f.Close()
	var b bytes.Buffer
	if err := f.Final(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// newFold returns an empty fold of the job's reduce. ctx governs the
// commands that it runs.
func (r *Runner) newFold(ctx context.Context, s *Spec) (Fold, error) {
	if s.ReduceCommand != "" {
		return newCommandFold(ctx, r, s), nil
	}
	red, err := LookupReducer(s.Reduce)
	if err != nil {
		return nil, err
	}
	return red.New(r.opts.TempDir), nil
}
