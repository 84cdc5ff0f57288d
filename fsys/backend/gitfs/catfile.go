package gitfs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
	"github.com/leat-dev/leat/task"
)

const (
	// wholeBytes is up to what size a file is read at once, so that its
	// process is free again; a larger one has a process of its own while it
	// is read.
	wholeBytes = 1 << 20
	// atOnce is how many processes read small files.
	atOnce = 4
	// drainBytes is how much of a file that is not wanted is still read to
	// keep a process.
	drainBytes = 1 << 20
)

// catFiles are the processes that read files.
type catFiles struct {
	repo  repo
	small *task.Budget

	mu     sync.Mutex
	idle   []*catFile
	closed bool
}

func newCatFiles(r repo) *catFiles { return &catFiles{repo: r, small: task.NewBudget(atOnce)} }

// A catFile is a process that prints the file whose hash it is told. It
// belongs to one reader at a time.
type catFile struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	left int64 // bytes of the answer still to come, its last newline included
	bad  bool  // it is of no use any more
	once sync.Once
}

// open reads n bytes of a file from off.
func (c *catFiles) open(ctx context.Context, it *archive.Item[blob], off, n int64) (driver.Reader, error) {
	if it.Size > wholeBytes {
		p, err := c.ask(ctx, it, off)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, p.kill)
		return archive.NewReader(ctx, it.Entry, p, n, nil, func() error {
			if !stop() {
				p.bad = true
			}
			c.put(p)
			return nil
		}), nil
	}
	if err := c.small.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer c.small.Release(1)
	p, err := c.ask(ctx, it, off)
	if err != nil {
		return nil, err
	}
	defer c.put(p)
	stop := context.AfterFunc(ctx, p.kill)
	data := make([]byte, n) // at most wholeBytes
	_, err = io.ReadFull(p, data)
	if !stop() {
		p.bad = true
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	} else if err != nil {
		return nil, err
	}
	return archive.NewReader(ctx, it.Entry, bytes.NewReader(data), n, nil, nil), nil
}

// ask returns a process that prints a file next, from off on.
func (c *catFiles) ask(ctx context.Context, it *archive.Item[blob], off int64) (*catFile, error) {
	p, err := c.get()
	if err != nil {
		return nil, err
	}
	task.Detach(ctx)
	stop := context.AfterFunc(ctx, p.kill)
	err = p.ask(it.Data.hash, it.Size)
	if err == nil {
		_, err = io.CopyN(io.Discard, p, off)
	}
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		p.bad = true
		c.put(p)
		return nil, err
	}
	return p, nil
}

// get returns a process that waits for a hash.
func (c *catFiles) get() (*catFile, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, &fault.Error{Kind: fault.Invalid, Err: errors.New("the file system is closed")}
	}
	if n := len(c.idle); n > 0 {
		p := c.idle[n-1]
		c.idle = c.idle[:n-1]
		return p, nil
	}
	cmd := c.repo.command(context.Background(), "cat-file", "--batch")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, c.repo.fail(context.Background(), err, "")
	}
	return &catFile{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 64<<10)}, nil
}

// put keeps a process, or ends it.
func (c *catFiles) put(p *catFile) {
	if !p.bad && p.left <= drainBytes {
		n, err := p.out.Discard(int(p.left))
		p.left -= int64(n)
		p.bad = err != nil
	}
	c.mu.Lock()
	if !p.bad && p.left == 0 && !c.closed && len(c.idle) < atOnce {
		c.idle = append(c.idle, p)
		p = nil
	}
	c.mu.Unlock()
	if p != nil {
		p.end()
	}
}

func (c *catFiles) close() {
	c.mu.Lock()
	idle := c.idle
	c.idle, c.closed = nil, true
	c.mu.Unlock()
	for _, p := range idle {
		p.end()
	}
}

// ask sends a hash and reads the head of the answer: "hash type size".
func (p *catFile) ask(hash string, size int64) error {
	if _, err := io.WriteString(p.in, hash+"\n"); err != nil {
		return &fault.Error{Kind: fault.Unavailable, Err: fmt.Errorf("git cat-file: %w", err)}
	}
	head, err := p.out.ReadString('\n')
	if err != nil {
		return &fault.Error{Kind: fault.Unavailable, Err: fmt.Errorf("git cat-file ended: %w", err)}
	}
	f := strings.Fields(head)
	if len(f) != 3 || f[1] != "blob" || f[2] != strconv.FormatInt(size, 10) {
		return &fault.Error{Kind: fault.Corrupt, Err: fmt.Errorf("git cat-file says %q", strings.TrimSpace(head))}
	}
	p.left = size + 1
	return nil
}

// Read implements io.Reader.
func (p *catFile) Read(b []byte) (int, error) {
	if p.left <= 1 {
		return 0, io.EOF
	}
	n, err := p.out.Read(b[:min(int64(len(b)), p.left-1)])
	p.left -= int64(n)
	if err != nil {
		p.bad = true
		err = &fault.Error{Kind: fault.Corrupt, Err: fmt.Errorf("git cat-file ended: %w", err)}
	}
	return n, err
}

// kill makes reads end. It may be called while another goroutine reads.
func (p *catFile) kill() { _ = p.cmd.Process.Kill() }

// end ends the process and waits for it.
func (p *catFile) end() {
	p.once.Do(func() {
		p.kill()
		_ = p.in.Close()
		_ = p.cmd.Wait()
	})
}
