package work

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leat-dev/leat/fault"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of random tests")

// source returns random numbers; the seed is printed when the test fails.
func source(t *testing.T) *rand.Rand {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again with -seed %d", *seed)
		}
	})
	return rand.New(rand.NewPCG(*seed, 1))
}

func reducer(t *testing.T, spec string) Reducer {
	t.Helper()
	r, err := LookupReducer(spec)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// final folds values in one fold.
func final(t *testing.T, r Reducer, values []string) string {
	t.Helper()
	f := r.New(t.TempDir())
	defer f.Close()
	for i, v := range values {
		if err := f.Add(uint64(i), "name", []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := f.Final(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// treeFinal folds values split at random over folds, merged in a random tree.
func treeFinal(t *testing.T, r Reducer, values []string, rnd *rand.Rand) string {
	t.Helper()
	dir := t.TempDir()
	folds := make([]Fold, 1+rnd.IntN(5))
	for i := range folds {
		folds[i] = r.New(dir)
	}
	for _, i := range rnd.Perm(len(values)) {
		if err := folds[rnd.IntN(len(folds))].Add(uint64(i), "name", []byte(values[i])); err != nil {
			t.Fatal(err)
		}
	}
	for len(folds) > 1 {
		rnd.Shuffle(len(folds), func(i, j int) { folds[i], folds[j] = folds[j], folds[i] })
		to := folds[0]
		if rnd.IntN(2) == 0 { // into an empty one, as a merge does
			to = r.New(dir)
			encodeInto(t, to, folds[0])
			folds[0] = to
		}
		if rnd.IntN(3) == 0 {
			if err := absorb(to, folds[1], dir); err != nil {
				t.Fatal(err)
			}
			folds[1].Close()
		} else {
			encodeInto(t, to, folds[1])
		}
		folds = append(folds[:1], folds[2:]...)
	}
	defer folds[0].Close()
	var b bytes.Buffer
	if err := folds[0].Final(&b); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Fatalf("temporary files with names: %v", left)
	}
	return b.String()
}

func encodeInto(t *testing.T, to, from Fold) {
	t.Helper()
	var b bytes.Buffer
	if err := from.Encode(&b); err != nil {
		t.Fatal(err)
	}
	from.Close()
	if err := to.Merge(&b); err != nil {
		t.Fatal(err)
	}
}

// randomValue makes a result that every built-in reducer takes.
func randomValue(rnd *rand.Rand, numbers bool) string {
	keys := []string{"a", "b", "a b", "\xff\xfe", "été", "x\ty", "z\x01", "z"}
	nums := []string{"1", "-5", "0", "9223372036854775807", "-9223372036854775808", "123456789012345678901234567890",
		"0.1", "1e3", "2.5e-7", "1e300", "-1e300", "+7", ".5", "3."}
	var b strings.Builder
	for range rnd.IntN(5) {
		if numbers || rnd.IntN(2) == 0 {
			b.WriteString(strings.Repeat(" ", rnd.IntN(3)) + nums[rnd.IntN(len(nums))])
		}
		if rnd.IntN(4) > 0 {
			b.WriteString([]string{" ", "\t", "  \t"}[rnd.IntN(3)] + keys[rnd.IntN(len(keys))])
		}
		if rnd.IntN(5) > 0 {
			b.WriteByte('\n')
		} else {
			break
		}
	}
	return b.String()
}

func TestAnyTreeGivesTheSame(t *testing.T) {
	rnd := source(t)
	for range 150 {
		for _, spec := range []string{"sum", "top:3", "top:1000", "concat", "sort"} {
			values := make([]string, rnd.IntN(12))
			for i := range values {
				values[i] = randomValue(rnd, spec == "sum")
			}
			r := reducer(t, spec)
			want := final(t, r, values)
			if got := treeFinal(t, r, values, rnd); got != want {
				t.Fatalf("%s of %q: %q, want %q", spec, values, got, want)
			}
		}
	}
}

func TestFinal(t *testing.T) {
	for _, tc := range []struct {
		spec   string
		values []string
		want   string
	}{
		{"sum", nil, "0\n"},
		{"sum", []string{"1", "2\n", "", "\n", " 3 \n4"}, "10\n"},
		{"sum", []string{"9223372036854775807\n1"}, "9223372036854775808\n"},
		{"sum", []string{"9223372036854775808\n-1"}, "9223372036854775807\n"},
		{"sum", []string{"0.1", "0.2"}, "0.3\n"},
		{"sum", []string{"1.5", "0.5"}, "2\n"},
		{"sum", []string{"1e300", "1", "-1e300"}, "1\n"},
		{"sum", []string{"1e-7"}, "1e-07\n"},
		{"sum", []string{"2 b\n1 a\n3 b\n7"}, "7\n1\ta\n5\tb\n"},
		{"sum", []string{"      5 key with  blanks \n"}, "5\tkey with  blanks \n"},
		{"top:2", nil, ""},
		{"top:2", []string{"1 a\n5 b\n5 aa\n"}, "5\taa\n5\tb\n"},
		{"top:2", []string{"x\ny\nx", "x\nz\n"}, "3\tx\n1\ty\n"},
		{"top:9", []string{"5\n5\n7 apples\n"}, "7\tapples\n2\t5\n"},
		{"top:1", []string{"2.5 a\n3 b\n1 a"}, "3.5\ta\n"},
		{"concat", []string{"b", "a\n", "", "c"}, "ba\nc"},
		{"sort", []string{"b\na", "c\nb\n", "", "\n"}, "\na\nb\nb\nc\n"},
		{"sort", []string{"a\x01\na\n"}, "a\na\x01\n"},
		{"sort", []string{"\xff\n\x00\n"}, "\x00\n\xff\n"},
	} {
		if got := final(t, reducer(t, tc.spec), tc.values); got != tc.want {
			t.Errorf("%s of %q: %q, want %q", tc.spec, tc.values, got, tc.want)
		}
	}
}

func TestReducerErrors(t *testing.T) {
	for _, spec := range []string{"", "nope", "sum:1", "sort:r", "concat:x", "top", "top:", "top:0", "top:-1", "top:x"} {
		if _, err := LookupReducer(spec); fault.KindOf(err) != fault.Invalid {
			t.Errorf("LookupReducer(%q): %v", spec, err)
		}
	}
	for _, v := range []string{"x", "1\nx 2", "NaN", "Inf", "0x10", "1_000", "1e9999999", "--1", "1-", "1,5", "e5", "."} {
		f := reducer(t, "sum").New("")
		err := f.Add(0, "s3://b/k", []byte(v))
		if fault.KindOf(err) != fault.UserError || !strings.Contains(err.Error(), "s3://b/k") {
			t.Errorf("sum of %q: %v", v, err)
		}
	}
	for _, spec := range []string{"sum", "top:5", "concat"} {
		for _, bad := range []string{"x\ty\n", "\x01\x05abc", "\x80", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
			f := reducer(t, spec).New("")
			if err := f.Merge(strings.NewReader(bad)); fault.KindOf(err) != fault.Corrupt {
				t.Errorf("%s: Merge(%q): %v", spec, bad, err)
			}
			f.Close()
		}
	}
}

func TestMergeKeepsTheKindOfReading(t *testing.T) {
	broken := fault.New("get", "k", fault.Unavailable, io.ErrClosedPipe)
	for _, spec := range []string{"sum", "top:5", "concat", "sort"} {
		f := reducer(t, spec).New("")
		if err := f.Merge(io.MultiReader(strings.NewReader("1\ta\n"), errorReader{broken})); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: %v", spec, err)
		}
		f.Close()
	}
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }

// TestTop compares with a plain sort.
func TestTop(t *testing.T) {
	rnd := source(t)
	for range 200 {
		var lines []string
		for i := range rnd.IntN(60) {
			lines = append(lines, fmt.Sprintf("%d\tk%d\n", rnd.IntN(12), i))
		}
		n := 1 + rnd.IntN(70)
		got := final(t, tallyReducer{top: n}, lines)
		slices.SortFunc(lines, func(a, b string) int {
			var x, y int
			fmt.Sscan(a, &x)
			fmt.Sscan(b, &y)
			if x != y {
				return y - x
			}
			return strings.Compare(a[strings.IndexByte(a, '\t'):], b[strings.IndexByte(b, '\t'):])
		})
		if want := strings.Join(lines[:min(n, len(lines))], ""); got != want {
			t.Fatalf("top:%d: %q, want %q", n, got, want)
		}
	}
	for _, spec := range []string{"top:9223372036854775807", "top:1"} {
		if got := final(t, reducer(t, spec), []string{"3 a\n"}); got != "3\ta\n" {
			t.Errorf("%s: %q", spec, got)
		}
	}
}

// TestSumIsExact compares with rationals.
func TestSumIsExact(t *testing.T) {
	rnd := source(t)
	for range 200 {
		want := new(big.Rat)
		var n number
		for range 50 {
			text := fmt.Sprintf("%d.%de%d", rnd.Int64N(2000)-1000, rnd.Uint32(), rnd.IntN(60)-30)
			x, ok := parseNumber([]byte(text), maxDigits)
			if !ok {
				t.Fatalf("parseNumber(%q)", text)
			}
			n.add(x)
			r, _ := new(big.Rat).SetString(text)
			want.Add(want, r)
		}
		got, ok := new(big.Rat).SetString(string(n.appendExact(nil)))
		if !ok || got.Cmp(want) != 0 {
			t.Fatalf("sum %v, want %v", got, want)
		}
	}
}

// TestSpill folds more than stays in memory.
func TestSpill(t *testing.T) {
	rnd := source(t)
	var lines, values []string
	for range 100 {
		var b strings.Builder
		for range 1500 {
			l := fmt.Sprintf("%x%s", rnd.Uint64(), strings.Repeat("x", rnd.IntN(200)))
			lines = append(lines, l)
			b.WriteString(l + "\n")
		}
		values = append(values, b.String())
	}
	slices.Sort(lines)
	if got := treeFinal(t, sortReducer{}, values, rnd); got != strings.Join(lines, "\n")+"\n" {
		t.Error("sort of many lines is wrong")
	}
	if got := treeFinal(t, concatReducer{}, values, rnd); got != strings.Join(values, "") {
		t.Error("concat of large results is wrong")
	}
}

func TestSortCompacts(t *testing.T) {
	f := &sortFold{dir: t.TempDir()}
	defer f.Close()
	var want []string
	for i := range 3 * maxRuns {
		l := fmt.Sprintf("%03d", (i*37)%1000)
		want = append(want, l)
		if err := f.Merge(strings.NewReader(l + "\n")); err != nil {
			t.Fatal(err)
		}
		if len(f.runs) > maxRuns {
			t.Fatalf("%d runs", len(f.runs))
		}
	}
	slices.Sort(want)
	var b bytes.Buffer
	if err := f.Final(&b); err != nil || b.String() != strings.Join(want, "\n")+"\n" {
		t.Errorf("Final: %v", err)
	}
}

func TestEmptyResult(t *testing.T) {
	for spec, want := range map[string]string{"sum": "0\n", "top:3": "", "concat": "", "sort": ""} {
		if got, err := EmptyResult(&Spec{Reduce: spec}); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", spec, got, err, want)
		}
	}
	if got, err := EmptyResult(&Spec{ReduceCommand: "wc -l"}); err != nil || len(got) != 0 {
		t.Errorf("command: %q, %v", got, err)
	}
}

func BenchmarkTop(b *testing.B) {
	var text bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&text, "%d\tword%d\n", 1000-i, i)
	}
	f := tallyReducer{top: 20}.New("")
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Add(0, "", text.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzTally(f *testing.F) {
	f.Add([]byte("1 a\n2.5 b\n"), []byte("x\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		r := tallyReducer{top: 1000}
		one, two, three := r.New(""), r.New(""), r.New("")
		one.Add(0, "", a)
		one.Add(1, "", b)
		two.Add(0, "", a)
		three.Add(1, "", b)
		encodeInto(t, two, three)
		var x, y bytes.Buffer
		if err := one.Final(&x); err != nil {
			t.Fatal(err)
		}
		if err := two.Final(&y); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x.Bytes(), y.Bytes()) {
			t.Errorf("%q and %q: %q and %q", a, b, x.Bytes(), y.Bytes())
		}
	})
}
