package cluster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/leat-dev/leat/cluster"
	"github.com/leat-dev/leat/fault"
)

// The functions of the ancestor's tests.
func init() {
	number := func(b []byte) int { n, _ := strconv.Atoi(string(b)); return n }
	cluster.RegisterCompute("test-add", func(_ context.Context, args [][]byte, kwargs map[string][]byte) ([]byte, error) {
		sum := 0
		for _, a := range slices.Concat(args, slices.Collect(maps.Values(kwargs))) {
			sum += number(a)
		}
		return []byte(strconv.Itoa(sum)), nil
	})
	cluster.RegisterCompute("test-fail", func(context.Context, [][]byte, map[string][]byte) ([]byte, error) {
		return nil, errors.New("division by zero")
	})
	cluster.RegisterCompute("test-panic", func(context.Context, [][]byte, map[string][]byte) ([]byte, error) {
		panic("boom")
	})
	cluster.RegisterCompute("test-hang", func(ctx context.Context, _ [][]byte, _ map[string][]byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
}

// ancestor is a cluster with two workers, for the ancestor's operations.
type ancestor struct {
	cl   *cluster.Client
	a, b *cluster.Worker
	url  string
}

func newAncestor(t *testing.T) *ancestor {
	c := start(t, cluster.Options{Workers: -1, Listen: "127.0.0.1:0"})
	n := &ancestor{cl: client(t, c), url: c.URL()}
	for _, w := range []**cluster.Worker{&n.a, &n.b} {
		var err error
		if *w, err = c.AddWorker(); err != nil {
			t.Fatal(err)
		}
		if err := (*w).Joined(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func (n *ancestor) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (n *ancestor) value(t *testing.T, w *cluster.Worker, key string) string {
	t.Helper()
	data, missing, err := n.cl.GetData(t.Context(), w.Name(), key)
	if err != nil || len(missing) > 0 {
		t.Fatalf("get-data %q: missing %q, %v", key, missing, err)
	}
	return string(data[key])
}

func (n *ancestor) holders(t *testing.T, key string) []string {
	t.Helper()
	has, err := n.cl.WhoHas(t.Context(), key)
	n.must(t, err)
	return has[key]
}

func TestAncestorCenterRoundTrip(t *testing.T) {
	n := newAncestor(t)
	ask := func(op cluster.Op) error { op.Reply = true; return n.cl.Ask(t.Context(), "", &op, nil) }
	n.must(t, ask(cluster.Op{Op: "register", Address: "alice", Keys: []string{"x", "y"}}))
	n.must(t, ask(cluster.Op{Op: "register", Address: "bob", Keys: []string{"y"}}))
	n.must(t, ask(cluster.Op{Op: "register", Address: "bob", Keys: []string{"y"}}))
	has, err := n.cl.WhoHas(t.Context(), "x", "y", "z")
	n.must(t, err)
	if fmt.Sprint(has) != "map[x:[alice] y:[alice bob] z:[]]" {
		t.Errorf("who-has = %v", has)
	}
	list, err := n.cl.List(t.Context())
	n.must(t, err)
	if fmt.Sprint(list) != "map[alice:false bob:false]" {
		t.Errorf("list = %v", list)
	}
	n.must(t, ask(cluster.Op{Op: "unregister", Address: "alice", Keys: []string{"y", "never"}}))
	if got := n.holders(t, "y"); !slices.Equal(got, []string{"bob"}) {
		t.Errorf("who-has y = %v after unregister", got)
	}
	// A worker that was restarted at the same address inherits nothing.
	n.must(t, ask(cluster.Op{Op: "register", Address: "bob", Instance: "1", Keys: []string{"k"}}))
	n.must(t, ask(cluster.Op{Op: "register", Address: "bob", Instance: "2", Keys: []string{"l"}}))
	if got := n.holders(t, "k"); len(got) != 0 {
		t.Errorf("who-has k = %v after a restart", got)
	}
}

func TestAncestorThreePings(t *testing.T) {
	n := newAncestor(t)
	for range 3 {
		n.must(t, n.cl.Ping(t.Context(), ""))
		n.must(t, n.cl.Ping(t.Context(), n.a.Name()))
	}
}

func TestAncestorThreeGetData(t *testing.T) {
	n := newAncestor(t)
	n.must(t, n.cl.PutData(t.Context(), n.a.Name(), "x", []byte("1")))
	n.must(t, n.cl.PutData(t.Context(), n.a.Name(), "y", []byte("2")))
	for range 3 {
		data, missing, err := n.cl.GetData(t.Context(), n.a.Name(), "x", "y", "z")
		n.must(t, err)
		if string(data["x"]) != "1" || string(data["y"]) != "2" || !slices.Equal(missing, []string{"z"}) {
			t.Errorf("get-data = %q, missing %q", data, missing)
		}
	}
}

func TestAncestorThreeComputesOfOneKey(t *testing.T) {
	n := newAncestor(t)
	for range 3 {
		n.must(t, n.cl.Compute(t.Context(), n.a.Name(), cluster.Op{Key: "c", Function: "test-add", Args: [][]byte{[]byte("1"), []byte("2")}}))
		if v := n.value(t, n.a, "c"); v != "3" {
			t.Errorf("c = %q", v)
		}
	}
}

func TestAncestorRemoteGather(t *testing.T) {
	n := newAncestor(t)
	n.must(t, n.cl.PutData(t.Context(), n.b.Name(), "x", []byte("10")))
	n.must(t, n.cl.PutData(t.Context(), n.b.Name(), "y", []byte("5")))
	n.must(t, n.cl.Compute(t.Context(), n.a.Name(), cluster.Op{
		Key: "z", Function: "test-add", Needed: []string{"x", "y"},
		Args: [][]byte{[]byte("x"), []byte("7")}, Kwargs: map[string][]byte{"other": []byte("y")},
	}))
	if v := n.value(t, n.a, "z"); v != "22" {
		t.Errorf("z = %q, want 22", v)
	}
}

func TestAncestorNoDataFound(t *testing.T) {
	n := newAncestor(t)
	err := n.cl.Compute(t.Context(), n.a.Name(), cluster.Op{Key: "z", Function: "test-add", Needed: []string{"a", "b"}})
	if fault.KindOf(err) != fault.MissingInput || !strings.Contains(err.Error(), "missing keys {a, b}") {
		t.Errorf("compute = %v", err)
	}
	n.must(t, n.cl.Ping(t.Context(), n.a.Name()))
}

func TestAncestorPutDataThenWhoHas(t *testing.T) {
	n := newAncestor(t)
	n.must(t, n.cl.PutData(t.Context(), n.a.Name(), "x", []byte("1")))
	if got := n.holders(t, "x"); !slices.Equal(got, []string{n.a.Addr()}) {
		t.Errorf("who-has x = %v, want %s", got, n.a.Addr())
	}
	list, err := n.cl.List(t.Context())
	n.must(t, err)
	if !list[n.a.Addr()] {
		t.Errorf("list = %v, want %s alive", list, n.a.Addr())
	}
	// A worker that left holds nothing; its address stays, not alive.
	n.a.Close()
	if got := n.holders(t, "x"); len(got) != 0 {
		t.Errorf("who-has x = %v after the worker left", got)
	}
	if list, err = n.cl.List(t.Context()); err != nil || list[n.a.Addr()] {
		t.Errorf("list = %v, %v after the worker left", list, err)
	}
}

func TestAncestorComputeThenWhoHas(t *testing.T) {
	n := newAncestor(t)
	n.must(t, n.cl.Compute(t.Context(), n.b.Name(), cluster.Op{Key: "c", Function: "test-add"}))
	if got := n.holders(t, "c"); !slices.Equal(got, []string{n.b.Addr()}) {
		t.Errorf("who-has c = %v, want %s", got, n.b.Addr())
	}
}

func TestComputeFailures(t *testing.T) {
	n := newAncestor(t)
	n.must(t, n.cl.Ask(t.Context(), "", &cluster.Op{Op: "register", Address: "127.0.0.1:1", Keys: []string{"gone"}, Reply: true}, nil))
	n.must(t, n.cl.Ask(t.Context(), "", &cluster.Op{Op: "register", Address: n.b.Addr(), Keys: []string{"dropped"}, Reply: true}, nil))
	for _, tc := range []struct {
		op   cluster.Op
		kind fault.Kind
		text string
	}{
		{cluster.Op{Key: "k", Function: "test-fail"}, fault.UserError, "division by zero"},
		{cluster.Op{Key: "k", Function: "test-panic"}, fault.UserError, "boom"},
		{cluster.Op{Key: "k", Function: "test-hang", TimeoutMS: 10}, fault.Timeout, ""},
		{cluster.Op{Key: "k", Function: "no-such"}, fault.Invalid, "no-such"},
		{cluster.Op{Function: "test-add"}, fault.Invalid, "no key"},
		{cluster.Op{Key: "k", Function: "test-add", Needed: []string{"gone"}}, fault.WorkerLost, "gone"},
		{cluster.Op{Key: "k", Function: "test-add", Needed: []string{"dropped"}}, fault.MissingInput, "dropped"},
	} {
		err := n.cl.Compute(t.Context(), n.a.Name(), tc.op)
		if fault.KindOf(err) != tc.kind || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%+v: %v, want kind %v", tc.op, err, tc.kind)
		}
	}
	if got := n.holders(t, "k"); len(got) != 0 {
		t.Errorf("a failed compute registered its key at %v", got)
	}
}

func TestDelDataKeepsTheLastCopy(t *testing.T) {
	n := newAncestor(t)
	for _, w := range []*cluster.Worker{n.a, n.b} {
		n.must(t, n.cl.PutData(t.Context(), w.Name(), "x", []byte("1")))
	}
	n.must(t, n.cl.DelData(t.Context(), n.a.Name(), false, "x", "never"))
	n.must(t, n.cl.DelData(t.Context(), n.a.Name(), false, "x"))
	if err := n.cl.DelData(t.Context(), n.b.Name(), false, "x"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("del-data of the last copy = %v", err)
	}
	if v := n.value(t, n.b, "x"); v != "1" {
		t.Errorf("x = %q", v)
	}
	n.must(t, n.cl.DelData(t.Context(), n.b.Name(), true, "x"))
	if got := n.holders(t, "x"); len(got) != 0 {
		t.Errorf("who-has x = %v", got)
	}
}

// TestOpsOnTheWire looks at the bytes, as a program in another language does.
func TestOpsOnTheWire(t *testing.T) {
	n := newAncestor(t)
	nc, err := nats.Connect(n.url)
	n.must(t, err)
	defer nc.Close()
	const center = "leat.default.center"
	ask := func(body string) string {
		t.Helper()
		m, err := nc.RequestWithContext(t.Context(), center, []byte(body))
		n.must(t, err)
		return string(m.Data)
	}
	for _, tc := range [][2]string{
		{`{"op":"ping"}`, `pong`},
		{`{"op":"register","address":"a:1","keys":["k"],"reply":true}`, `OK`},
		{`{"op":"who-has","keys":["k","l"]}`, `{"k":["a:1"],"l":[]}`},
		{`{"op":"list"}`, `{"a:1":false}`},
		{`{"op":"fly"}`, `{"op":"error","kind":"bad-request","message":"unknown operation \"fly\""}`},
	} {
		if got := ask(tc[0]); got != tc[1] {
			t.Errorf("%s\n got %s\nwant %s", tc[0], got, tc[1])
		}
	}
	var a cluster.Answer
	if err := json.Unmarshal([]byte(ask(`{"op":`)), &a); err != nil || a.Kind != "bad-request" {
		t.Errorf("half a request: %+v, %v", a, err)
	}
	if got := ask("\x00\xff"); !bytes.Contains([]byte(got), []byte("bad-request")) {
		t.Errorf("garbage: %q", got)
	}
	// No answer unless it is asked for; the next request finds the key gone.
	n.must(t, nc.PublishRequest(center, "reply.to", []byte(`{"op":"unregister","address":"a:1","keys":["k"]}`)))
	if got := ask(`{"op":"who-has","keys":["k"]}`); got != `{"k":[]}` && got != `{"k":["a:1"]}` {
		t.Errorf("who-has after unregister: %s", got)
	}
}
