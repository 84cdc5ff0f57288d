package peer

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/leat-dev/leat/fault"
)

const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 32 << 10
	// A client gets slackTime plus a second for each slowBytes; one that
	// takes longer is cut off, so that it cannot hold files and memory.
	slackTime = 30 * time.Second
	slowBytes = 256 << 10

	defaultMaxPutBytes = 64 << 30
	copyBufferBytes    = 64 << 10
)

// ServerOptions tunes [NewServer].
type ServerOptions struct {
	// Listener is where to serve; the server closes it. Nil means Listen.
	Listener net.Listener
	// Listen is the address to listen on when Listener is nil; empty means
	// 127.0.0.1:0, a free port of the loopback.
	Listen string
	// Token is what clients must show as a bearer token. Without one only a
	// loopback address is served.
	Token string
	// MaxPutBytes bounds a value that comes in; 0 means 64 GiB.
	MaxPutBytes int64
	// Log gets what goes wrong between the machines; nil means nowhere.
	Log *slog.Logger
}

// A Server shows a [Store] to peers. It is safe for concurrent use.
type Server struct {
	store  *Store
	token  [sha256.Size]byte
	open   bool // no token
	maxPut int64
	log    *slog.Logger
	addr   string
	http   *http.Server

	mu      sync.Mutex
	closed  bool
	active  sync.WaitGroup // requests
	serving chan struct{}
}

// NewServer starts to serve store and returns without waiting. A nil opts
// means the defaults. The caller closes the server, then the store.
func NewServer(store *Store, opts *ServerOptions) (*Server, error) {
	var o ServerOptions
	if opts != nil {
		o = *opts
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxPutBytes == 0 {
		o.MaxPutBytes = defaultMaxPutBytes
	}
	l, err := listen(&o)
	if err != nil {
		return nil, err
	}
	s := &Server{
		store: store, token: sha256.Sum256([]byte(o.Token)), open: o.Token == "",
		maxPut: o.MaxPutBytes, log: o.Log, addr: l.Addr().String(), serving: make(chan struct{}),
	}
	s.http = &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	// owner: the server; Close waits for it.
	go func() {
		defer close(s.serving)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.log.Warn("peer server ended", "addr", s.addr, "err", err)
		}
	}()
	return s, nil
}

// listen returns the listener that o asks for, unless it is too open.
func listen(o *ServerOptions) (net.Listener, error) {
	l := o.Listener
	if l == nil {
		at := o.Listen
		if at == "" {
			at = "127.0.0.1:0"
		}
		var err error
		if l, err = net.Listen("tcp", at); err != nil {
			return nil, fault.New("listen", at, fault.Unknown, err)
		}
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok && o.Token == "" && !a.IP.IsLoopback() {
		l.Close()
		return nil, fault.New("listen", a.String(), fault.Refused,
			errors.New("an address that is not loopback needs a token"))
	}
	return l, nil
}

// Addr returns the address that peers use, "host:port".
func (s *Server) Addr() string { return s.addr }

// Close stops serving: it breaks all connections and returns when no request
// is being handled any more.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.http.Close()
	<-s.serving
	s.active.Wait()
	return err
}

// begin counts a request, unless the server is closed.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.active.Add(1)
	}
	return !s.closed
}

// routes never wraps the ResponseWriter: that would cost sendfile.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+objectPath+"{key}", s.get)
	mux.HandleFunc("PUT "+objectPath+"{key}", s.put)
	mux.HandleFunc("POST "+fetchPath, s.fetch)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.begin() {
			http.Error(w, "the server is closing", http.StatusServiceUnavailable)
			return
		}
		defer s.active.Done()
		if !s.allowed(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the token is missing or wrong", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// allowed compares hashes, so that neither content nor length of the token
// shows in the time it takes.
func (s *Server) allowed(r *http.Request) bool {
	if s.open {
		return true
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], s.token[:]) == 1 && ok
}

// patience is how long a client may take for n bytes.
func patience(n int64) time.Time {
	return time.Now().Add(slackTime + time.Duration(n/slowBytes)*time.Second)
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	key, err := keyOf(r.PathValue("key"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	v, err := s.store.Open(key)
	if err != nil {
		refuse(w, err)
		return
	}
	defer v.Close()
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("ETag", `"`+v.info.Tag+`"`)
	h.Set(sumHeader, formatSum(v.info.Sum))
	http.NewResponseController(w).SetWriteDeadline(patience(v.info.Size))
	// The bare file, so that the kernel sends it.
	var content io.ReadSeeker = v
	if v.file != nil {
		content = v.file
	}
	http.ServeContent(w, r, "", time.Time{}, content)
}

func (s *Server) put(w http.ResponseWriter, r *http.Request) {
	key, err := keyOf(r.PathValue("key"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	want, check, err := parseSum(r.Header.Get(sumHeader))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.ContentLength > s.maxPut {
		http.Error(w, "the value is too large", http.StatusRequestEntityTooLarge)
		return
	}
	if _, have := s.store.Stat(key); have && r.Header.Get("If-None-Match") == "*" {
		http.Error(w, "the key has a value", http.StatusPreconditionFailed)
		return
	}
	http.NewResponseController(w).SetReadDeadline(patience(max(r.ContentLength, 0)))
	v, err := s.store.Create(key)
	if err != nil {
		refuse(w, err)
		return
	}
	defer v.Abort()
	if _, err := io.Copy(v, http.MaxBytesReader(w, r.Body, s.maxPut)); err != nil {
		refuse(w, err)
		return
	}
	if check && v.Sum() != want {
		http.Error(w, "checksum mismatch: the body has "+formatSum(v.Sum()), http.StatusBadRequest)
		return
	}
	if _, err := v.Commit(); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) fetch(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	rc.SetReadDeadline(patience(0))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFetchBytes))
	if err != nil {
		refuse(w, err)
		return
	}
	keys, err := readKeys(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	out := bufio.NewWriterSize(w, copyBufferBytes)
	for i, key := range keys {
		if r.Context().Err() != nil {
			return
		}
		if err := s.sendFrame(rc, out, uint32(i), key); err != nil {
			s.log.Debug("fetch broke off", "peer", r.RemoteAddr, "err", err)
			panic(http.ErrAbortHandler) // the client must see a broken body
		}
	}
	if err := out.Flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// sendFrame sends one value of a fetch, or why there is none.
func (s *Server) sendFrame(rc *http.ResponseController, out *bufio.Writer, index uint32, key string) error {
	v, err := s.store.Open(key)
	f := frame{index: index, status: statusOK}
	switch fault.KindOf(err) {
	case fault.None:
		defer v.Close()
		f.size, f.sum = uint64(v.info.Size), v.info.Sum
	case fault.NotExist:
		f.status = statusAbsent
	default:
		f.status = statusBroken
	}
	if index%64 == 0 || f.size > copyBufferBytes {
		rc.SetWriteDeadline(patience(int64(f.size)))
	}
	var head [frameBytes]byte
	if _, err := out.Write(f.append(head[:0])); err != nil || f.status != statusOK {
		return err
	}
	if v.data != nil {
		_, err = out.Write(v.data)
		return err
	}
	n, err := io.Copy(out, v.file)
	if err == nil && n != v.info.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// refuse answers with the status that the kind of err has.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var tooLarge *http.MaxBytesError
	switch kind := fault.KindOf(err); {
	case errors.As(err, &tooLarge):
		status = http.StatusRequestEntityTooLarge
	case kind == fault.NotExist:
		status = http.StatusNotFound
	case kind == fault.NoSpace:
		status = http.StatusInsufficientStorage
	case kind == fault.Unavailable:
		status = http.StatusServiceUnavailable
	case errors.Is(err, context.Canceled):
		status = http.StatusBadRequest
	}
	http.Error(w, err.Error(), status)
}
