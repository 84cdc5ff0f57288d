package cluster

import "time"

// window is the sending half of a numbered stream: it keeps what was not
// acknowledged, and goes back to the oldest of it when nothing moves. The
// owner locks.
type window struct {
	acked    uint64 // number of the last message that the other side has
	items    [][]byte
	bytes    int
	sent     int // how many of items were sent since the last rewind
	unsent   int // bytes of the others
	progress time.Time
}

// push adds a message and returns its number.
func (w *window) push(raw []byte, now time.Time) uint64 {
	if len(w.items) == 0 {
		w.progress = now
	}
	w.items = append(w.items, raw)
	w.bytes += len(raw)
	w.unsent += len(raw)
	return w.acked + uint64(len(w.items))
}

// ack drops what the other side has, and reports whether that was news.
func (w *window) ack(upto uint64, now time.Time) bool {
	if upto <= w.acked || upto > w.acked+uint64(len(w.items)) {
		return false
	}
	n := int(upto - w.acked)
	for i := range n {
		w.bytes -= len(w.items[i])
		if i >= w.sent {
			w.unsent -= len(w.items[i])
		}
		w.items[i] = nil
	}
	w.items = w.items[n:]
	w.sent = max(0, w.sent-n)
	w.acked = upto
	w.progress = now
	return true
}

// take returns the next messages to send, one at least and about limit bytes
// at most, and the number of the first; nil when all were sent.
func (w *window) take(limit int) (first uint64, out [][]byte) {
	first = w.acked + uint64(w.sent) + 1
	size := 0
	for w.sent < len(w.items) && size < limit {
		raw := w.items[w.sent]
		if len(out) > 0 && size+len(raw) > maxInputBytes {
			break
		}
		out = append(out, raw)
		size += len(raw)
		w.sent++
	}
	w.unsent -= size
	return first, out
}

// rewind makes take begin with the oldest message again.
func (w *window) rewind(now time.Time) {
	w.sent = 0
	w.unsent = w.bytes
	w.progress = now
}

// stalled reports whether something was sent and nothing acknowledged for
// longer than after.
func (w *window) stalled(now time.Time, after time.Duration) bool {
	return w.sent > 0 && now.Sub(w.progress) >= after
}

// accept is the receiving half: of n messages from number first on, got being
// the last that came, it returns the index of the first that is next. Those
// before came twice; n when there is none, or a gap before them.
func accept(got, first uint64, n int) int {
	if first > got+1 || first+uint64(n) <= got+1 {
		return n
	}
	return int(got + 1 - first)
}
