package caps_test

import (
	"context"
	"testing"

	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/fsys/layer/caps"
)

type ability struct{}

func (ability) Copy(context.Context, string, string) (driver.Entry, error) {
	return driver.Entry{Path: "copied"}, nil
}
func (ability) RemoveBatch(context.Context, []string) []error { return nil }
func (ability) MaxRemoveBatch() int                           { return 7 }
func (ability) LocalPath(path string) string                  { return "/" + path }

// base has no optional ability.
type base struct{ driver.FS }

func TestWithHasExactlyWhatItIsGiven(t *testing.T) {
	for mask := range 8 {
		var c driver.Copier
		var b driver.BatchRemover
		var l driver.LocalPather
		if mask&1 != 0 {
			c = ability{}
		}
		if mask&2 != 0 {
			b = ability{}
		}
		if mask&4 != 0 {
			l = ability{}
		}
		fs := caps.With(base{}, c, b, l)
		gc, okc := fs.(driver.Copier)
		gb, okb := fs.(driver.BatchRemover)
		gl, okl := fs.(driver.LocalPather)
		if okc != (c != nil) || okb != (b != nil) || okl != (l != nil) {
			t.Errorf("mask %d: abilities %v %v %v", mask, okc, okb, okl)
		}
		if okc {
			if e, _ := gc.Copy(t.Context(), "", ""); e.Path != "copied" {
				t.Errorf("mask %d: Copy is another's", mask)
			}
		}
		if okb && gb.MaxRemoveBatch() != 7 || okl && gl.LocalPath("x") != "/x" {
			t.Errorf("mask %d: methods of another", mask)
		}
	}
}

// closing is a store that notes Close.
type closing struct {
	base
	ability
	closed *bool
}

func (c closing) Close() error {
	*c.closed = true
	return nil
}

func TestKeepOpen(t *testing.T) {
	closed := false
	kept := caps.KeepOpen(closing{closed: &closed})
	if err := kept.Close(); err != nil || closed {
		t.Errorf("Close = %v, closed below: %v", err, closed)
	}
	_, c := kept.(driver.Copier)
	_, b := kept.(driver.BatchRemover)
	_, l := kept.(driver.LocalPather)
	if !c || !b || !l {
		t.Errorf("abilities %v %v %v, want all", c, b, l)
	}
	if _, c := caps.KeepOpen(base{}).(driver.Copier); c {
		t.Error("an ability that was not there")
	}
}
