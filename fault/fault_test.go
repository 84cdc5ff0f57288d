package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
)

func TestKindOf(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want fault.Kind
	}{
		{nil, fault.None},
		{errors.New("x"), fault.Unknown},
		{fs.ErrNotExist, fault.NotExist},
		{&fs.PathError{Op: "open", Path: "p", Err: syscall.EACCES}, fault.Permission},
		{&fs.PathError{Op: "open", Path: "p", Err: syscall.ENOSPC}, fault.NoSpace},
		{fmt.Errorf("dial: %w", syscall.ECONNREFUSED), fault.Unavailable},
		{context.Canceled, fault.Canceled},
		{context.DeadlineExceeded, fault.Timeout},
		{os.ErrDeadlineExceeded, fault.Timeout},
		{io.ErrUnexpectedEOF, fault.Unavailable},
		{fmt.Errorf("while: %w", fault.New("get", "k", fault.Changed, nil)), fault.Changed},
	} {
		if got := fault.KindOf(tc.err); got != tc.want {
			t.Errorf("KindOf(%v) = %v, want %v", tc.err, got, tc.want)
		}
	}
}

func TestSentinels(t *testing.T) {
	for kind, want := range map[fault.Kind]error{
		fault.NotExist: fs.ErrNotExist, fault.Exist: fs.ErrExist,
		fault.Permission: fs.ErrPermission, fault.Invalid: fs.ErrInvalid,
		fault.Canceled: context.Canceled, fault.Timeout: os.ErrDeadlineExceeded,
		fault.Unsupported: errors.ErrUnsupported,
	} {
		err := fmt.Errorf("outer: %w", fault.New("op", "p", kind, errors.New("cause")))
		if !errors.Is(err, want) {
			t.Errorf("errors.Is(%v, %v) = false", kind, want)
		}
		if errors.Is(err, io.EOF) {
			t.Errorf("errors.Is(%v, io.EOF) = true", kind)
		}
	}
}

func TestMessageNamesEachThingOnce(t *testing.T) {
	inner := fault.New("get", "s3://b/k", fault.NotExist, nil)
	for _, tc := range []struct {
		err  error
		want string
	}{
		{inner, "get: s3://b/k: does not exist"},
		{fault.New("cat", "s3://b/k", fault.Unknown, inner), "cat: s3://b/k: file does not exist"},
		{fault.New("cp", "x", fault.Unknown, inner), "cp: x: get: s3://b/k: does not exist"},
		{&fault.Error{Op: "get", Path: "a\nb\x1b[2J", Kind: fault.Timeout, Origin: "w1"}, "get: a\uFFFDb\uFFFD[2J: timed out (at w1)"},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("message %q, want %q", got, tc.want)
		}
	}
	if k := fault.KindOf(fault.New("cp", "x", fault.Unknown, inner)); k != fault.NotExist {
		t.Errorf("kind of dressed error = %v, want NotExist", k)
	}
}

func FuzzWire(f *testing.F) {
	f.Add("open", "s3://b/\xff\n", uint8(2), "worker-1", int64(1500), "no such key")
	f.Fuzz(func(t *testing.T, op, path string, kind uint8, origin string, ms int64, text string) {
		if ms < 0 || ms > 1<<40 {
			return
		}
		in := &fault.Error{Op: op, Path: path, Kind: fault.Kind(kind), Origin: origin, RetryAfter: time.Duration(ms) * time.Millisecond}
		if text != "" {
			in.Err = errors.New(text)
		}
		data, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out fault.Error
		if err := json.Unmarshal(data, &out); err != nil {
			t.Fatal(err)
		}
		if out.Path != in.Path || out.RetryAfter != in.RetryAfter {
			t.Errorf("round trip of %+v gave %+v", in, out)
		}
		known := kind > 0 && kind <= uint8(fault.Internal)
		if known && out.Kind != in.Kind {
			t.Errorf("kind %v came back as %v", in.Kind, out.Kind)
		}
		if known && in.Kind == fault.NotExist && !errors.Is(&out, fs.ErrNotExist) {
			t.Error("errors.Is lost on the wire")
		}
	})
}

func TestWire(t *testing.T) {
	if fault.Wire(nil, "w") != nil {
		t.Error("Wire(nil) is not nil")
	}
	e := fault.Wire(fmt.Errorf("x: %w", fs.ErrPermission), "w1")
	if e.Kind != fault.Permission || e.Origin != "w1" {
		t.Errorf("Wire = %+v", e)
	}
	orig := fault.New("get", "k", fault.NotExist, nil)
	if w := fault.Wire(orig, "w2"); w.Origin != "w2" || orig.Origin != "" {
		t.Errorf("Wire changed its argument: %+v, %+v", w, orig)
	}
}

func TestTemporary(t *testing.T) {
	for k := fault.None; k <= fault.Internal; k++ {
		want := k == fault.Throttled || k == fault.Unavailable || k == fault.Timeout || k == fault.WorkerLost
		if got := k.Temporary(); got != want {
			t.Errorf("%v.Temporary() = %v, want %v", k, got, want)
		}
	}
}
