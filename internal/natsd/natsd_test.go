package natsd_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/internal/natsd"
)

func start(t *testing.T, opts natsd.Options) *natsd.Server {
	t.Helper()
	s, err := natsd.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func conn(t *testing.T, s *natsd.Server) *nats.Conn {
	t.Helper()
	nc, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// append1 makes a stream and appends to it.
func append1(t *testing.T, nc *nats.Conn, data string) uint64 {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if _, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	ack, err := js.Publish(ctx, "s", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

func TestInProcessHasNoPortAndLeavesNothing(t *testing.T) {
	base := goleak.IgnoreCurrent()
	t.Setenv("TMPDIR", t.TempDir())
	s, err := natsd.Start(natsd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.URL() != "" {
		t.Errorf("URL = %q, want none", s.URL())
	}
	nc, err := s.Conn()
	if err != nil {
		t.Fatal(err)
	}
	if err := natsd.Check(context.Background(), nc); err != nil {
		t.Error(err)
	}
	if seq := append1(t, nc, "x"); seq != 1 {
		t.Errorf("sequence %d, want 1", seq)
	}
	nc.Close()
	s.Close()
	s.Close()
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
	goleak.VerifyNone(t, base)
}

func TestDirSurvives(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for want := uint64(1); want <= 2; want++ {
		s := start(t, natsd.Options{Dir: dir, Sync: true})
		nc := conn(t, s)
		if seq := append1(t, nc, "x"); seq != want {
			t.Errorf("sequence %d, want %d", seq, want)
		}
		nc.Close()
		s.Close()
	}
}

func TestListenAndToken(t *testing.T) {
	s := start(t, natsd.Options{Listen: "127.0.0.1:0", Token: "secret"})
	if !strings.HasPrefix(s.URL(), "nats://127.0.0.1:") {
		t.Fatalf("URL = %q", s.URL())
	}
	if _, err := nats.Connect(s.URL()); err == nil {
		t.Error("connected without the token")
	}
	nc, err := nats.Connect(s.URL(), nats.Token("secret"))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	conn(t, s).Close()
}

func TestListenRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tc := range []struct {
		listen string
		kind   fault.Kind
	}{
		{"0.0.0.0:4222", fault.Refused},
		{":4222", fault.Refused},
		{"example.com:4222", fault.Refused},
		{"[::]:4222", fault.Refused},
		{"127.0.0.1", fault.Invalid},
		{"127.0.0.1:x", fault.Invalid},
		{l.Addr().String(), fault.Exist},
	} {
		s, err := natsd.Start(natsd.Options{Listen: tc.listen})
		if err == nil {
			s.Close()
		}
		if fault.KindOf(err) != tc.kind {
			t.Errorf("Start(%q) = %v, want kind %v", tc.listen, err, tc.kind)
		}
	}
}

func TestCheckWithoutJetStream(t *testing.T) {
	plain, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	plain.Start()
	defer plain.WaitForShutdown()
	defer plain.Shutdown()
	nc, err := nats.Connect("", nats.InProcessServer(plain))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := natsd.Check(t.Context(), nc); err == nil || !strings.Contains(err.Error(), "-js") {
		t.Errorf("Check = %v, want a hint to turn JetStream on", err)
	}
}
