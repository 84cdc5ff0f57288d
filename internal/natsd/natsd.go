package natsd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/internal/scratch"
)

const (
	// maxPayload is the largest message; records and results stay below.
	maxPayload = 8 << 20
	// maxPending is what the server holds for one slow reader before it
	// cuts it off.
	maxPending = 256 << 20
	// readyTimeout covers the replay of large streams at start.
	readyTimeout = 2 * time.Minute
)

// Options tunes [Start].
type Options struct {
	// Dir keeps the streams; it is made with mode 0700 as needed. Empty
	// means a temporary folder that Close removes.
	Dir string
	// Listen is "host:port" for other processes; port 0 takes a free one.
	// Empty means no port. Only loopback hosts are accepted.
	Listen string
	// Sync writes through to the disk before an append is acknowledged.
	Sync bool
	// Token, if set, is asked of every connection.
	Token string
	// Log gets the server's warnings and errors; nil discards them.
	Log *slog.Logger
}

// A Server is a running NATS server. It is safe for concurrent use.
type Server struct {
	srv  *server.Server
	opts Options
	temp *scratch.Dir // folder to remove, or ""
	once sync.Once
}

// Start starts a server and returns when it takes connections, usually
// within milliseconds. Errors have kind [fault.Invalid] for options that
// cannot be right, [fault.Exist] when the address is in use.
func Start(opts Options) (*Server, error) {
	so, err := serverOptions(&opts)
	if err != nil {
		return nil, err
	}
	s := &Server{opts: opts}
	if so.StoreDir, err = s.folder(); err != nil {
		return nil, err
	}
	if s.srv, err = server.NewServer(so); err != nil {
		s.removeTemp()
		return nil, fault.New("start nats", opts.Dir, fault.Unknown, err)
	}
	if opts.Log != nil {
		s.srv.SetLoggerV2(&logger{log: opts.Log}, false, false, false)
	}
	s.srv.Start()
	if !s.srv.ReadyForConnections(readyTimeout) {
		s.Close()
		return nil, fault.New("start nats", opts.Dir, fault.Timeout,
			fmt.Errorf("the server was not ready after %v", readyTimeout))
	}
	return s, nil
}

// folder makes the folder of the streams.
func (s *Server) folder() (string, error) {
	if s.opts.Dir == "" {
		temp, err := scratch.Make("", "leat-nats-")
		if err != nil {
			return "", fault.New("start nats", "", fault.Unknown, err)
		}
		s.temp = temp
		return filepath.Join(temp.Path(), "streams"), nil
	}
	dir, err := filepath.Abs(s.opts.Dir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// serverOptions translates opts and refuses what is unsafe.
func serverOptions(opts *Options) (*server.Options, error) {
	so := &server.Options{
		ServerName:             "leat-" + strconv.Itoa(os.Getpid()),
		JetStream:              true,
		DisableJetStreamBanner: true,
		SyncAlways:             opts.Sync,
		MaxPayload:             maxPayload,
		MaxPending:             maxPending,
		MaxControlLine:         4096,
		NoSigs:                 true,
		NoLog:                  opts.Log == nil,
		Authorization:          opts.Token,
		DontListen:             opts.Listen == "",
	}
	if opts.Listen == "" {
		return so, nil
	}
	host, port, err := net.SplitHostPort(opts.Listen)
	if err != nil {
		return nil, fault.New("listen", opts.Listen, fault.Invalid,
			fmt.Errorf("%w; write host:port, such as 127.0.0.1:4222", err))
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fault.New("listen", opts.Listen, fault.Invalid, errors.New("the port must be a number up to 65535"))
	}
	if !loopback(host) {
		return nil, fault.New("listen", opts.Listen, fault.Refused,
			errors.New("only loopback addresses are served: traffic is neither encrypted nor authenticated enough for a network; use 127.0.0.1 and a tunnel"))
	}
	if err := free(opts.Listen); err != nil {
		return nil, err
	}
	so.Host, so.Port = host, int(n)
	if n == 0 {
		so.Port = server.RANDOM_PORT
	}
	return so, nil
}

// free finds out that an address is in use; the server itself would only
// never get ready.
func free(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fault.New("listen", addr, fault.Exist, fmt.Errorf("%w; is another cluster running there?", err))
	}
	return l.Close()
}

// loopback reports whether host can only be reached from this machine.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Conn returns a new connection inside the process. The caller closes it,
// before the server. opts are added to those that the server needs.
func (s *Server) Conn(opts ...nats.Option) (*nats.Conn, error) {
	all := []nats.Option{
		nats.InProcessServer(s.srv), nats.MaxReconnects(-1), nats.ReconnectWait(50 * time.Millisecond),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // the default prints
	}
	if s.opts.Token != "" {
		all = append(all, nats.Token(s.opts.Token))
	}
	return nats.Connect("", append(all, opts...)...)
}

// URL returns where other processes connect to, without the token, or ""
// when there is no port.
func (s *Server) URL() string {
	if s.opts.Listen == "" {
		return ""
	}
	addr, ok := s.srv.Addr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	host, _, _ := net.SplitHostPort(s.opts.Listen)
	return "nats://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// Close ends the server and waits for its end. Further calls do nothing.
func (s *Server) Close() {
	s.once.Do(func() {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
		s.removeTemp()
	})
}

func (s *Server) removeTemp() {
	if s.temp != nil {
		_ = s.temp.Remove() // the next server sweeps what is left
	}
}

// minLevel is the JetStream API level of server 2.12, the first with what
// the log needs.
const minLevel = 2

// Check says whether the server behind nc can carry a cluster: JetStream is
// on, new enough, and messages may be large enough. It blocks for one
// request.
func Check(ctx context.Context, nc *nats.Conn) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	info, err := js.AccountInfo(ctx)
	if err != nil {
		return fault.New("check nats", nc.ConnectedUrlRedacted(), fault.Unknown,
			fmt.Errorf("JetStream does not answer: %w; start the server with -js", err))
	}
	if info.API.Level < minLevel {
		return fault.New("check nats", nc.ConnectedUrlRedacted(), fault.Unsupported,
			fmt.Errorf("server %s has JetStream API level %d, and %d is needed; use nats-server 2.12 or newer",
				nc.ConnectedServerVersion(), info.API.Level, minLevel))
	}
	if nc.MaxPayload() < minPayload {
		return fault.New("check nats", nc.ConnectedUrlRedacted(), fault.Unsupported,
			fmt.Errorf("messages of %d bytes are the largest allowed, and %d are needed; set max_payload: 8MB in the server's configuration",
				nc.MaxPayload(), minPayload))
	}
	return nil
}

// minPayload is the largest record of the log plus its frame.
const minPayload = 8 << 20
