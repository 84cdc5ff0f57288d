package work

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/leat-dev/leat/fault"
)

// asCommand is errors.As for a commandError.
func asCommand(err error, to **commandError) bool { return errors.As(err, to) }

// command runs the command of the job on a unit and keeps its output.
func (l *leaseRun) command(ctx context.Context, ins []*Input) (outcome, error) {
	p := &process{dir: l.plan.spec.Dir, env: l.environment(ins[0])}
	var files []string
	if l.plan.file {
		var cleanup func()
		var err error
		files, cleanup, err = l.files(ctx, ins)
		defer cleanup()
		if err != nil {
			return outcome{}, err
		}
	} else {
		inCtx, cancel := context.WithCancel(ctx)
		defer cancel()
		in, err := stdin(inCtx, ins)
		if err != nil {
			return outcome{}, err
		}
		defer in.Close()
		p.stdin, p.stopStdin = in, cancel
	}
	p.argv = arguments(l.plan.spec.Command, ins, files)
	run := func(w io.Writer) error {
		p.stdout = w
		return l.r.execute(ctx, p)
	}
	switch {
	case l.plan.out != nil:
		return l.writeOut(ctx, ins[0], run)
	case l.reduce:
		return collect(run)
	}
	return l.r.keepOutput(l.r.newKey("r"), run)
}

// environment is what commands get besides the worker's own; of a batch it
// tells about the first input.
func (l *leaseRun) environment(in *Input) []string {
	env := append([]string(nil), l.plan.spec.Env...)
	return append(env, "LEAT_URL="+in.URL, "LEAT_NAME="+in.Name(),
		"LEAT_INDEX="+strconv.FormatUint(in.Index, 10))
}

// stdin returns the inputs one after the other. A single local file is
// handed over as it is. The first is opened at once: no command is started
// for nothing.
func stdin(ctx context.Context, ins []*Input) (io.ReadCloser, error) {
	if len(ins) == 1 {
		if name, ok := ins[0].localPath(ctx); ok {
			f, err := os.Open(name)
			if err != nil {
				return nil, openError(ins[0], err)
			}
			return f, nil
		}
	}
	first, err := ins[0].Open(ctx)
	if err != nil {
		return nil, err
	}
	return &sequence{ctx: ctx, ins: ins[1:], cur: first}, nil
}

// A sequence reads inputs one after the other and opens each when its turn
// comes.
type sequence struct {
	ctx context.Context // of the command
	ins []*Input
	cur io.ReadCloser
}

// Read implements io.Reader.
func (s *sequence) Read(p []byte) (int, error) {
	for {
		if s.cur == nil {
			if len(s.ins) == 0 {
				return 0, io.EOF
			}
			r, err := s.ins[0].Open(s.ctx)
			if err != nil {
				return 0, err
			}
			s.cur, s.ins = r, s.ins[1:]
		}
		n, err := s.cur.Read(p)
		if err == io.EOF {
			err = s.cur.Close()
			s.cur = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Close implements io.Closer.
func (s *sequence) Close() error {
	if s.cur == nil {
		return nil
	}
	return s.cur.Close()
}

// files returns a local file for each input: the object itself where it is
// one, else a copy, which cleanup removes.
func (l *leaseRun) files(ctx context.Context, ins []*Input) (files []string, cleanup func(), err error) {
	dir := ""
	cleanup = func() {
		if dir != "" {
			if err := os.RemoveAll(dir); err != nil {
				l.r.opts.Log.Warn("temporary files are left behind", "dir", dir, "err", err)
			}
		}
	}
	for i, in := range ins {
		if name, ok := in.localPath(ctx); ok {
			files = append(files, name)
			continue
		}
		if dir == "" {
			if dir, err = l.r.inputDir(); err != nil {
				return nil, cleanup, err
			}
		}
		name, err := copyIn(ctx, in, dir, i)
		if err != nil {
			return nil, cleanup, err
		}
		files = append(files, name)
	}
	return files, cleanup, nil
}

// copyIn copies the object to a file in a directory of its own, so that it
// can keep its name.
func copyIn(ctx context.Context, in *Input, dir string, i int) (string, error) {
	dir = filepath.Join(dir, strconv.Itoa(i))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	base := in.Name()
	if !safeName(base) {
		base = "input"
	}
	r, err := in.Open(ctx)
	if err != nil {
		return "", err
	}
	defer r.Close()
	name := filepath.Join(dir, base)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := io.Copy(f, r); err != nil {
		return "", err
	}
	return name, f.Close()
}

// maxNameBytes is what file systems allow for one element.
const maxNameBytes = 255

// safeName reports whether a name can be that of a file as it is.
func safeName(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= maxNameBytes && !strings.ContainsAny(s, "/\x00")
}

// openError says that a local input cannot be opened.
func openError(in *Input, err error) error { return fault.New("open", in.URL, fault.Unknown, err) }
