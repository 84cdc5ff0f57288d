package peer_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/leat-dev/leat/cluster/peer"
	"github.com/leat-dev/leat/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newStore returns a store in a directory that must be empty when the test
// has ended.
func newStore(t testing.TB, opts peer.StoreOptions) *peer.Store {
	t.Helper()
	opts.Dir = t.TempDir()
	s, err := peer.NewStore(&opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(opts.Dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	return s
}

func randomBytes(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(b)
	return b
}

func files(t *testing.T, opts peer.StoreOptions) (*peer.Store, func() []string) {
	t.Helper()
	opts.Dir = t.TempDir()
	s, err := peer.NewStore(&opts)
	if err != nil {
		t.Fatal(err)
	}
	return s, func() []string {
		list, _ := filepath.Glob(opts.Dir + "/*/[^.]*")
		return list
	}
}

func TestStoreSizes(t *testing.T) {
	s := newStore(t, peer.StoreOptions{FileBytes: 100, MemoryBytes: 250})
	var want []byte
	for i, tc := range []struct{ size, memory, file int64 }{
		{0, 0, 0}, {1, 1, 0}, {100, 101, 0}, {101, 101, 101}, {100, 201, 101},
		{60, 201, 161}, // past the memory budget
		{49, 250, 161},
	} {
		key := fmt.Sprintf("k\n\xff%d", i)
		want = randomBytes(int(tc.size), uint64(i))
		if err := s.Put(key, want); err != nil {
			t.Fatal(err)
		}
		if st := s.Stats(); st.MemoryBytes != tc.memory || st.FileBytes != tc.file || st.Values != int64(i+1) {
			t.Errorf("after %d bytes: %+v, want %d in memory, %d in files", tc.size, st, tc.memory, tc.file)
		}
		got, err := s.Get(key)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("Get of %d bytes: %d bytes, %v", tc.size, len(got), err)
		}
		info, ok := s.Stat(key)
		if !ok || info.Size != tc.size || info.Tag == "" {
			t.Errorf("Stat = %+v, %v", info, ok)
		}
	}
	s.DropAll()
	if st := s.Stats(); st.Values != 0 || st.MemoryBytes != 0 || st.FileBytes != 0 {
		t.Errorf("after DropAll: %+v", st)
	}
	if _, err := s.Get("k\n\xff1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get of a dropped key: %v", err)
	}
}

func TestStoreReplaceAndDropWhileOpen(t *testing.T) {
	s, list := files(t, peer.StoreOptions{FileBytes: 10})
	old := randomBytes(1000, 1)
	s.Put("k", old)
	before, _ := s.Stat("k")
	r, err := s.Open("k")
	if err != nil {
		t.Fatal(err)
	}
	s.Put("k", []byte("new"))
	if after, _ := s.Stat("k"); after.Tag == before.Tag {
		t.Error("two values have one tag")
	}
	s.Drop("k", "absent")
	if got := list(); len(got) != 0 {
		t.Errorf("files of dropped values: %v", got)
	}
	if data, err := io.ReadAll(r); err != nil || !bytes.Equal(data, old) {
		t.Errorf("the open value: %d bytes, %v", len(data), err)
	}
	r.Close()
	s.Close()
}

func TestStoreWriter(t *testing.T) {
	s, list := files(t, peer.StoreOptions{FileBytes: 100})
	w, err := s.Create("k")
	if err != nil {
		t.Fatal(err)
	}
	want := randomBytes(1000, 2)
	for i := 0; i < len(want); i += 50 {
		if _, err := w.Write(want[i : i+50]); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := s.Stat("k"); ok {
		t.Error("visible before Commit")
	}
	info, err := w.Commit()
	if err != nil || info.Size != 1000 {
		t.Errorf("Commit = %+v, %v", info, err)
	}
	if _, err := w.Commit(); fault.KindOf(err) != fault.Invalid {
		t.Errorf("second Commit: %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("Abort after Commit: %v", err)
	}
	if got, err := s.Get("k"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("Get: %d bytes, %v", len(got), err)
	}
	w, _ = s.Create("gone")
	w.Write(want)
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	if got := list(); len(got) != 1 {
		t.Errorf("files after Abort: %v", got)
	}
	late, _ := s.Create("late")
	late.Write(want)
	s.Close()
	if got := list(); len(got) != 0 {
		t.Errorf("files after Close: %v", got)
	}
	if _, err := late.Commit(); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Commit after Close: %v", err)
	}
	for _, err := range []error{s.Put("k", nil), s.Put("k", want)} {
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("Put after Close: %v", err)
		}
	}
}

func TestStoreChangedFile(t *testing.T) {
	s, list := files(t, peer.StoreOptions{FileBytes: 10})
	defer s.Close()
	s.Put("k", randomBytes(100, 3))
	if err := os.WriteFile(list()[0], randomBytes(100, 4), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("k"); fault.KindOf(err) != fault.Corrupt {
		t.Errorf("Get of a changed file: %v", err)
	}
}

func TestStoreConcurrent(t *testing.T) {
	s := newStore(t, peer.StoreOptions{FileBytes: 1000, MemoryBytes: 20000})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				key := fmt.Sprint((g + i) % 20)
				want := bytes.Repeat([]byte{byte(i)}, 10+i*10)
				if err := s.Put(key, want); err != nil {
					t.Error(err)
				}
				got, err := s.Get(key)
				if err != nil && fault.KindOf(err) != fault.NotExist {
					t.Error(err)
				}
				if len(got) > 0 && bytes.Count(got, got[:1]) != len(got) {
					t.Error("a mixed value")
				}
				if i%3 == 0 {
					s.Drop(key)
				}
			}
		})
	}
	wg.Wait()
}

func TestStoreDir(t *testing.T) {
	if _, err := peer.NewStore(&peer.StoreOptions{Dir: "/does/not/exist"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent directory: %v", err)
	}
	dir := t.TempDir()
	s, err := peer.NewStore(&peer.StoreOptions{Dir: dir, FileBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Put("k", []byte("x"))
	made, _ := filepath.Glob(dir + "/*")
	if len(made) != 1 {
		t.Fatalf("directories: %v", made)
	}
	if st, err := os.Stat(made[0]); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}
