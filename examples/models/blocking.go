package models

import "io"

// Blocking is how everybody begins. The code is plain and the system decides:
// Write returns when all is sent, and nothing is computed until then. A
// second thread helps, at the price of locks, and of a scheduler that gives
// computing as much of the processor as sending.
func Blocking(w io.Writer, data []byte, compute func() bool) error {
	if _, err := w.Write(data); err != nil {
		return err
	}
	for compute() {
	}
	return nil
}
