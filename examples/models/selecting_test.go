//go:build unix

package models_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/leat-dev/leat/examples/models"
)

// On a real socket: a slice never runs while there is room, and each piece
// that the peer reads is made up for before the next slice.
func TestSelectingComputesWhenFull(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	if err := unix.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	const total = 8 << 20
	got := 0
	buf := make([]byte, 256<<10)
	read := func() {
		n, err := unix.Read(fds[1], buf)
		if err != nil {
			t.Error(err)
		}
		got += n
	}
	slices, wasteful := 0, 0
	peer := make(chan struct{})
	err = models.Selecting(fds[0], make([]byte, total), func() bool {
		room := []unix.PollFd{{Fd: int32(fds[0]), Events: unix.POLLOUT}}
		if n, err := unix.Poll(room, 0); err != nil || n > 0 {
			wasteful++
		}
		if slices++; slices < 10 {
			read()
			return true
		}
		go func() { // ends when all is read
			defer close(peer)
			for got < total {
				read()
			}
		}()
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	<-peer
	if got != total || slices != 10 || wasteful != 0 {
		t.Errorf("the peer got %d bytes of %d; %d of %d slices ran with room in the socket", got, total, wasteful, slices)
	}
}
