package models

import "github.com/leat-dev/leat/loop"

// Producer is what became of the reactor: protocols that are told of data,
// and transports that carry it. Write always succeeds, so the danger is a
// peer that does not read. A producer stops when the transport says that
// enough is waiting, and goes on when told so: however much it has to send,
// only a bounded part of it is in memory.
type Producer struct {
	Next func() []byte // the next piece; nil at the end
	Err  error         // how the connection ended

	paused bool
}

// Made implements [loop.Protocol].
func (p *Producer) Made(t *loop.Transport) { p.produce(t) }

func (p *Producer) produce(t *loop.Transport) {
	for !p.paused {
		piece := p.Next()
		if piece == nil {
			t.Close()
			return
		}
		if _, err := t.Write(piece); err != nil {
			return // Lost says why
		}
	}
}

// Pause implements [loop.Flow].
func (p *Producer) Pause(*loop.Transport) { p.paused = true }

// Resume implements [loop.Flow].
func (p *Producer) Resume(t *loop.Transport) {
	p.paused = false
	p.produce(t)
}

// Data implements [loop.Protocol].
func (p *Producer) Data(*loop.Transport, []byte) {}

// EOF implements [loop.Protocol].
func (p *Producer) EOF(*loop.Transport) bool { return true }

// Lost implements [loop.Protocol].
func (p *Producer) Lost(_ *loop.Transport, err error) { p.Err = err }
