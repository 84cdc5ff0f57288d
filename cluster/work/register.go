package work

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/leat-dev/leat/fault"
)

// A Func computes a result from an input. It is called concurrently. An
// error that has no kind of its own counts as [fault.UserError]. The result
// must not be changed afterwards.
type Func func(ctx context.Context, in *Input) ([]byte, error)

// FuncOptions tunes [Register].
type FuncOptions struct {
	// Lazy says that the function does not read its input, or rarely: it is
	// called without any byte fetched ahead, in the order of the inputs.
	Lazy bool
}

type funcEntry struct {
	fn   Func
	lazy bool
}

var registry = struct {
	sync.RWMutex
	funcs    map[string]funcEntry
	reducers map[string]func(param string) (Reducer, error)
}{funcs: builtinFuncs(), reducers: builtinReducers()}

// Register makes fn known by name. It panics when the name is empty or
// taken. Call it before workers start, in every program that may be one.
func Register(name string, fn Func) { RegisterWith(name, fn, nil) }

// RegisterWith is [Register] with options; nil means the defaults.
func RegisterWith(name string, fn Func, opts *FuncOptions) {
	registry.Lock()
	defer registry.Unlock()
	if _, taken := registry.funcs[name]; taken || name == "" || fn == nil {
		panic(fmt.Sprintf("work: Register(%q): the name is empty or taken, or there is no function", name))
	}
	e := funcEntry{fn: fn}
	if opts != nil {
		e.lazy = opts.Lazy
	}
	registry.funcs[name] = e
}

// Funcs returns the names of all registered functions, sorted.
func Funcs() []string {
	registry.RLock()
	defer registry.RUnlock()
	return slices.Sorted(maps.Keys(registry.funcs))
}

func lookupFunc(name string) (funcEntry, error) {
	registry.RLock()
	e, ok := registry.funcs[name]
	registry.RUnlock()
	if !ok {
		return e, fault.New("map", "", fault.Invalid,
			fmt.Errorf("no function is named %q; there are %s", name, strings.Join(Funcs(), ", ")))
	}
	return e, nil
}

// RegisterReducer makes a reducer known by name. parse is given what stands
// after ":" where the reducer is asked for, or "". It panics when the name
// is empty, has a ":", or is taken.
func RegisterReducer(name string, parse func(param string) (Reducer, error)) {
	registry.Lock()
	defer registry.Unlock()
	if _, taken := registry.reducers[name]; taken || name == "" || strings.Contains(name, ":") || parse == nil {
		panic(fmt.Sprintf("work: RegisterReducer(%q): the name is empty, has a colon or is taken", name))
	}
	registry.reducers[name] = parse
}

// LookupReducer returns the reducer that spec asks for: a name, with
// parameters after ":".
func LookupReducer(spec string) (Reducer, error) {
	name, param, _ := strings.Cut(spec, ":")
	registry.RLock()
	parse, ok := registry.reducers[name]
	known := slices.Sorted(maps.Keys(registry.reducers))
	registry.RUnlock()
	if !ok {
		return nil, fault.New("reduce", "", fault.Invalid,
			fmt.Errorf("no reducer is named %q; there are %s", name, strings.Join(known, ", ")))
	}
	r, err := parse(param)
	if err != nil {
		return nil, fault.New("reduce", spec, fault.Invalid, err)
	}
	return r, nil
}
