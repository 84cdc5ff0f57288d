package work

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/leat-dev/leat/cluster/peer"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
	"github.com/leat-dev/leat/internal/scratch"
	"github.com/leat-dev/leat/sched"
	"github.com/leat-dev/leat/task"
)

const (
	// inlineBytes is the largest value that travels in a report.
	inlineBytes = 32 << 10
	// aheadBytes is the largest object that is read before it has a slot,
	// and aheadTotalBytes bounds all that are.
	aheadBytes      = 1 << 20
	aheadTotalBytes = 64 << 20

	defaultWidth = 256
)

// Options are the parts and settings of a [Runner].
type Options struct {
	// Mux finds the objects; it is required.
	Mux Resolver
	// Store keeps results and partials; it is required.
	Store *peer.Store
	// Peers fetches partials from other workers; it is required for merges.
	Peers *peer.Client
	// Session begins the key of everything that is kept, so that keys are
	// unique among workers; empty means a random one.
	Session string
	// Slots is how many commands and computing functions run at once; 0
	// means one per processor.
	Slots int
	// Width is how many inputs are in flight, over all leases, most of them
	// waiting for bytes; 0 means 256. It is at least Slots.
	Width int
	// NoExec refuses commands, those of reduces too: the worker runs
	// registered functions only.
	NoExec bool
	// TempDir is where inputs and folds have their temporary files; empty
	// means that of the system.
	TempDir string
	// Log gets what is not part of a report; nil means nowhere.
	Log *slog.Logger
}

// A Runner carries out leases and merges. It is safe for concurrent use.
type Runner struct {
	opts    Options
	width   *task.Budget
	slots   *task.Budget
	ahead   *task.Budget // bytes
	keys    atomic.Uint64
	spawner spawner

	mu     sync.Mutex
	plans  map[string]*plan // by encoded spec
	inputs *scratch.Dir     // for copies of inputs; made when needed
}

// NewRunner returns a runner. The caller closes it when nothing runs any
// more.
func NewRunner(opts Options) *Runner {
	if opts.Slots <= 0 {
		opts.Slots = runtime.GOMAXPROCS(0)
	}
	if opts.Width <= 0 {
		opts.Width = defaultWidth
	}
	opts.Width = max(opts.Width, opts.Slots)
	if opts.Session == "" {
		opts.Session = rand.Text()
	}
	if opts.TempDir == "" {
		opts.TempDir = os.TempDir()
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Runner{
		opts: opts, plans: map[string]*plan{},
		width: task.NewBudget(int64(opts.Width)),
		slots: task.NewBudget(int64(opts.Slots)),
		ahead: task.NewBudget(aheadTotalBytes),
	}
}

// Close releases what the runner has. All of Run and RunMerge must have
// returned.
func (r *Runner) Close() {
	r.spawner.close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inputs == nil {
		return
	}
	if err := r.inputs.Remove(); err != nil {
		r.opts.Log.Warn("temporary files are left behind", "dir", r.inputs.Path(), "err", err)
	}
}

// inputDir returns a new directory for copies of inputs.
func (r *Runner) inputDir() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inputs == nil {
		dir, err := scratch.Make(r.opts.TempDir, "leat-input-")
		if err != nil {
			return "", err
		}
		r.inputs = dir
	}
	return os.MkdirTemp(r.inputs.Path(), "")
}

// newKey returns a key that no other value has.
func (r *Runner) newKey(kind string) string {
	return r.opts.Session + "/" + kind + "/" + strconv.FormatUint(r.keys.Add(1), 36)
}

// A plan is a spec that is ready to be carried out.
type plan struct {
	spec *Spec
	fn   funcEntry
	out  *outNames
	file bool // the command wants its input as a file
}

// maxPlans bounds the cache of plans; jobs at the same time are few.
const maxPlans = 64

// plan decodes a spec, or finds it in the cache.
func (r *Runner) plan(ctx context.Context, spec []byte) (*plan, error) {
	r.mu.Lock()
	p := r.plans[string(spec)]
	r.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p, err := r.newPlan(ctx, spec)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.plans) >= maxPlans {
		clear(r.plans)
	}
	r.plans[string(spec)] = p
	return p, nil
}

func (r *Runner) newPlan(ctx context.Context, spec []byte) (*plan, error) {
	s, err := Decode(spec)
	if err != nil {
		return nil, err
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	p := &plan{spec: s}
	for _, a := range s.Command {
		p.file = p.file || strings.Contains(a, holdFile)
	}
	if s.Func != "" {
		if p.fn, err = lookupFunc(s.Func); err != nil {
			return nil, err
		}
	}
	if s.Out != "" {
		if p.out, err = newOutNames(ctx, r.opts.Mux, s); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// problem describes an error for the report.
func problem(err error) sched.Problem {
	var ce *commandError
	if errors.As(err, &ce) {
		p := ce.Problem
		p.Text = strings.ToValidUTF8(p.Text, "\uFFFD")
		return p
	}
	return sched.Problem{Kind: fault.KindOf(err), Text: strings.ToValidUTF8(err.Error(), "\uFFFD")}
}

// resolver checks that the Mux of fsys is one.
var _ Resolver = (*fsys.Mux)(nil)
