package work_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/cluster/work"
	"github.com/leat-dev/leat/fault"
)

func TestSpecRoundTrip(t *testing.T) {
	want := &work.Spec{
		Inputs: []string{"s3://b/\xff\xfe*", "/a\nb"}, Command: []string{"cat", "\x80", ""},
		Dir: "/d\xff", Env: []string{"A=\xff"}, Batch: 3, Timeout: time.Minute,
		Out: "/o\xff/{index}", Reduce: "top:5", ReduceCommand: "wc \xff",
	}
	data, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := work.Decode(data)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, bad := range [][]byte{nil, {0xff}, data[:len(data)-1], append(slices.Clone(data), 0)} {
		if _, err := work.Decode(bad); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Decode(%x): %v", bad, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	data, _ := (&work.Spec{Inputs: []string{"x"}, Func: "bytes"}).Encode()
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := work.Decode(data)
		if err != nil {
			return
		}
		s.Validate()
		again, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if s2, err := work.Decode(again); err != nil || !reflect.DeepEqual(s, s2) {
			t.Errorf("%+v became %+v, %v", s, s2, err)
		}
	})
}

func TestValidate(t *testing.T) {
	in, cmd := []string{"/a/*"}, []string{"cat"}
	for _, tc := range []struct {
		spec work.Spec
		text string // of the error; empty for none
	}{
		{work.Spec{Inputs: in, Command: cmd}, ""},
		{work.Spec{Inputs: in, Func: "bytes", Reduce: "sum"}, ""},
		{work.Spec{Inputs: in, Func: "of another program"}, ""},
		{work.Spec{Inputs: in, Command: cmd, Batch: 5, Out: "/o/{index}"}, ""},
		{work.Spec{Command: cmd}, "no inputs"},
		{work.Spec{Inputs: []string{""}, Command: cmd}, "empty"},
		{work.Spec{Inputs: in}, "nothing to do"},
		{work.Spec{Inputs: in, Func: "bytes", Command: cmd}, "not both"},
		{work.Spec{Inputs: in, Command: []string{"", "x"}}, "empty name"},
		{work.Spec{Inputs: in, Command: cmd, Batch: -1}, "batch -1"},
		{work.Spec{Inputs: in, Func: "bytes", Batch: 2}, "batch is for commands"},
		{work.Spec{Inputs: in, Command: cmd, Timeout: -1}, "timeout"},
		{work.Spec{Inputs: in, Command: cmd, Env: []string{"A"}}, "NAME=value"},
		{work.Spec{Inputs: in, Command: []string{"a\x00b"}}, "zero byte"},
		{work.Spec{Inputs: in, Command: cmd, Reduce: "sum", ReduceCommand: "wc"}, "not both"},
		{work.Spec{Inputs: in, Command: cmd, Reduce: "sun"}, "there are concat, sort, sum, top"},
		{work.Spec{Inputs: in, Command: cmd, Reduce: "top:none"}, "top:N"},
		{work.Spec{Inputs: in, Command: cmd, Reduce: "sum", Out: "/o/{index}"}, "exclude each other"},
		{work.Spec{Inputs: in, Command: cmd, Batch: 2, Out: "/o/{name}"}, "needs {index}"},
		{work.Spec{Inputs: in, Command: cmd, Out: "/o/same"}, "overwrite each other"},
	} {
		err := tc.spec.Validate()
		if tc.text == "" && err != nil || tc.text != "" && (fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tc.text)) {
			t.Errorf("%+v: %v, want %q", tc.spec, err, tc.text)
		}
	}
}

func TestValidateOut(t *testing.T) {
	for _, tc := range []struct {
		out  string
		in   string // patterns, separated by spaces
		want bool
	}{
		{"/o/{index}", "/a/** /b/**", true},
		{"/o/{path}", "/a/** /b/**", false},
		{"/o/{path}", "/a/**", true},
		{"/o/{name}", "/a/*", true},
		{"/o/{name}", "/a/**/*.go", false},
		{"/o/{name}", "/*/x", false},
		{"/o/{name}", `/\*/*`, true},
		{"/o/{stem}{ext}", "/a/*", true},
		{"/o/{stem}-{ext}", "/a/*", false},
		{"/o/{stem}.gz", "/a/*", false},
		{"/o/{stem}.gz", "/a/*.txt", true},
		{"/o/{stem}.gz", "/a/x.*", false},
		{"/o/{stem}.gz", "/a/x.[a-z]", false},
		{"/o/{stem}.gz", "/a/*.t?t", false},
		{"/o/{stem}.gz", `/a/*.\[x`, true},
		{"/o/{ext}", "/a/*", false},
		{"/o/one", "/a/x", true},
		{"/o/one", "/a/x /a/x", false},
		{"/o/one", "/a/*", false},
		{"{path}", "/a/*", false},
		{"{url}{index}", "/a/*", false},
		{"/o/{}{index}", "/a/*", false},
	} {
		err := work.ValidateOut(tc.out, strings.Fields(tc.in))
		if (err == nil) != tc.want || err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s of %s: %v, want ok %v", tc.out, tc.in, err, tc.want)
		}
	}
}

func TestRegister(t *testing.T) {
	for _, name := range []string{"bytes", "lines", "noop", "sha256", "wordcount", "words"} {
		if !slices.Contains(work.Funcs(), name) {
			t.Errorf("no built-in %s", name)
		}
	}
	for what, fn := range map[string]func(){
		"taken":            func() { work.Register("bytes", nil) },
		"empty":            func() { work.Register("", nil) },
		"taken reducer":    func() { work.RegisterReducer("sum", nil) },
		"reducer with ':'": func() { work.RegisterReducer("a:b", func(string) (work.Reducer, error) { return nil, nil }) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			fn()
		}()
	}
}
