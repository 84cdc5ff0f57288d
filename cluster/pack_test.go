package cluster

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leat-dev/leat/sched"
)

func FuzzUnpackItems(f *testing.F) {
	f.Add([]byte{})
	f.Add(packItems([]sched.Item{{Range: sched.Range{From: 1 << 40, N: 2}, Name: []byte("n"), Value: []byte("v"), Key: "k", Size: 9}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		items, err := unpackItems(data)
		if err != nil {
			return
		}
		again, err := unpackItems(packItems(items))
		if err != nil || len(again) != len(items) {
			t.Fatalf("%d items came back as %d, %v", len(items), len(again), err)
		}
		for i := range items {
			a, b := items[i], again[i]
			if a.Range != b.Range || !bytes.Equal(a.Name, b.Name) || !bytes.Equal(a.Value, b.Value) || a.Key != b.Key || a.Size != b.Size {
				t.Fatalf("item %d: %+v came back as %+v", i, a, b)
			}
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add(frame(&upFrame{Version: 1, First: 1, Count: 1}, [][]byte{encodeInput(&sched.Input{Num: 1, Join: &sched.Join{Name: "n"}})}))
	f.Add(frame(&downFrame{Version: 1, First: 1, Count: 1}, [][]byte{encodeMessage(&message{Free: &sched.Free{Job: "j"}})}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, rest, err := readUp(data); err == nil {
			nextInput(rest)
		}
		nextMessage(data)
		readOp(data)
	})
}

// TestWindow sends numbers over a line that drops, repeats and reorders, and
// expects each once and in order.
func TestWindow(t *testing.T) {
	rnd := rand.New(rand.NewPCG(seed(t), 2))
	type packet struct {
		first uint64
		raws  [][]byte
	}
	const n = 2000
	var w window
	var line []packet
	var got uint64
	now := time.Now()
	for step, next := 0, 0; got < n; step++ {
		if step > 1_000_000 {
			t.Fatalf("stuck at %d", got)
		}
		switch p := rnd.IntN(10); {
		case p < 3 && next < n:
			next++
			if num := w.push([]byte{byte(next), byte(next >> 8)}, now); num != uint64(next) {
				t.Fatalf("number %d for message %d", num, next)
			}
		case p < 6:
			if first, raws := w.take(1 + rnd.IntN(40)); len(raws) > 0 {
				line = append(line, packet{first, raws})
			}
		case p < 9 && len(line) > 0:
			i := rnd.IntN(len(line))
			pk := line[i]
			if q := rnd.IntN(10); q > 0 { // else it stays, and comes again
				line = append(line[:i], line[i+1:]...)
				if q == 1 {
					break // lost
				}
			}
			for k := accept(got, pk.first, len(pk.raws)); k < len(pk.raws); k++ {
				got++
				if want := []byte{byte(got), byte(got >> 8)}; !bytes.Equal(pk.raws[k], want) {
					t.Fatalf("message %d is %v, want %v", got, pk.raws[k], want)
				}
			}
			if rnd.IntN(3) > 0 {
				w.ack(got, now)
			}
		case p == 9 && rnd.IntN(20) == 0:
			w.rewind(now)
			w.ack(got, now)
		}
		unsent, all := 0, 0
		for i, raw := range w.items {
			if all += len(raw); i >= w.sent {
				unsent += len(raw)
			}
		}
		if unsent != w.unsent || all != w.bytes {
			t.Fatalf("window counts %d of %d bytes, has %d of %d", w.unsent, w.bytes, unsent, all)
		}
	}
}
