package cachefs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/task"
)

// The directory has
//
//	data/xx/yyyy…	finished files, by key in hexadecimal
//	tmp/…		unfinished ones, each locked by the process that writes it
//	locks/xxx	locked by the process that fetches an object whose key begins so
//	clean		locked by the process that removes old files; its time is when
//
// Anyone may remove anything of it at any time.
const (
	dataDir   = "data"
	tmpDir    = "tmp"
	locksDir  = "locks"
	cleanFile = "clean"
)

// pause is how long the disk is left alone after it refused something.
const pause = 30 * time.Second

// A diskKey names a file of the cache: the hash of store, path, version,
// block and size of blocks.
type diskKey [sha256.Size]byte

// A disk is the part of a cache that outlives the process. All methods do
// nothing on a nil disk. It is safe for concurrent use.
type disk struct {
	dir, store          string
	blockBytes, maxSize int64
	age                 time.Duration
	stats               *Stats

	paused atomic.Int64 // until when, in Unix nanoseconds
	added  atomic.Int64 // bytes since files were last counted
	began  atomic.Bool  // something was added

	// step, of tests, is asked before each change of the disk.
	step func(what string) error
}

func newDisk(o *Options) (*disk, error) {
	d := &disk{
		dir: o.Dir, store: o.Store, blockBytes: o.BlockBytes, maxSize: o.DiskBytes, age: o.MaxAge, stats: o.Stats,
		step: testStep,
	}
	for _, sub := range []string{dataDir, tmpDir, locksDir} {
		if err := os.MkdirAll(filepath.Join(d.dir, sub), 0o700); err != nil {
			return nil, fault.New("cache", d.dir, fault.Unknown, err)
		}
	}
	return d, nil
}

// testStep is the step of new disks; only tests set it.
var testStep func(what string) error

// key returns the name of a block on disk.
func (d *disk) key(k blockKey) diskKey {
	b := make([]byte, 0, 256)
	for _, s := range []string{d.store, k.path, k.version} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendVarint(b, k.index)
	if k.index >= 0 {
		b = binary.AppendVarint(b, d.blockBytes)
	}
	return sha256.Sum256(b)
}

func (d *disk) name(key diskKey) string {
	x := hex.EncodeToString(key[:])
	return filepath.Join(d.dir, dataDir, x[:2], x[2:])
}

// allow asks the tests.
func (d *disk) allow(what string) error {
	if d.step != nil {
		return d.step(what)
	}
	return nil
}

// failed leaves the disk alone for a while.
func (d *disk) failed() {
	d.stats.DiskErrors.Add(1)
	d.paused.Store(time.Now().Add(pause).UnixNano())
}

// resting reports whether the disk is left alone. A clock that was set back
// does not make it rest for longer.
func (d *disk) resting() bool {
	left := d.paused.Load() - time.Now().UnixNano()
	return left > 0 && left <= int64(pause)
}

// open returns the file of size bytes, or nil.
func (d *disk) open(k blockKey, size int64) *sealed {
	if d == nil {
		return nil
	}
	key := d.key(k)
	name := d.name(key)
	s, err := openSealed(name, key, size, d.age)
	switch {
	case err == nil:
		return s
	case errors.Is(err, fs.ErrNotExist):
	case err == errBroken:
		d.stats.Corrupt.Add(1)
		_ = os.Remove(name) // or the next one finds it broken again
	case err == errExpired:
		d.stats.Evicted.Add(1)
		_ = os.Remove(name)
	default:
		d.stats.DiskErrors.Add(1)
	}
	return nil
}

// corrupt closes and removes a file whose data is broken.
func (d *disk) corrupt(s *sealed) {
	d.stats.Corrupt.Add(1)
	name := s.file.Name()
	s.close()
	_ = os.Remove(name)
}

// getBlock returns a block of n bytes, if it is there and whole.
func (d *disk) getBlock(k blockKey, n int64) ([]byte, bool) {
	s := d.open(k, n)
	if s == nil {
		return nil, false
	}
	data, err := s.all()
	if err != nil {
		d.corrupt(s)
		return nil, false
	}
	s.close()
	return data, true
}

// hasBlock reports whether a file looks like the block.
func (d *disk) hasBlock(k blockKey, n int64) bool {
	if d == nil {
		return false
	}
	info, err := os.Lstat(d.name(d.key(k)))
	return err == nil && info.Size() == sealedLen(n)
}

// putBlock keeps a block, if the disk lets it.
func (d *disk) putBlock(k blockKey, data []byte) {
	if f := d.create(k, int64(len(data))); f != nil {
		defer f.abort()
		if f.write(data) {
			f.publish()
		}
	}
}

// An unfinished file is written under a temporary name. It belongs to one
// goroutine, which ends it with publish or abort.
type unfinished struct {
	d    *disk
	key  diskKey
	file *os.File // nil after the end
	size int64    // that it must have
	sealer
}

// create begins a file of size bytes, or returns nil when it is not to be.
func (d *disk) create(k blockKey, size int64) *unfinished {
	if d == nil || d.resting() || sealedLen(size) > d.maxSize/2 {
		return nil
	}
	if !d.began.Swap(true) {
		d.clean(true)
	}
	name := filepath.Join(d.dir, tmpDir, strconv.FormatUint(rand.Uint64(), 36))
	if d.allow("create") != nil {
		d.failed()
		return nil
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrNotExist) && os.MkdirAll(filepath.Dir(name), 0o700) == nil {
		file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		d.failed()
		return nil
	}
	// Who cleans up leaves a locked file alone. Without locks, it goes by age.
	_, _ = tryLock(file)
	return &unfinished{d: d, key: d.key(k), file: file, size: size}
}

// write appends data and returns whether that worked.
func (u *unfinished) write(p []byte) bool {
	u.add(p)
	return u.append("write", p)
}

func (u *unfinished) append(what string, p []byte) bool {
	err := u.d.allow(what)
	if err == nil {
		_, err = u.file.Write(p)
	}
	if err != nil {
		u.d.failed()
		u.abort()
	}
	return err == nil
}

// publish gives the file its name, if it has the size that it must.
func (u *unfinished) publish() {
	if u.file == nil || u.sealer.size != u.size || !u.append("seal", u.tail(u.key)) {
		u.abort()
		return
	}
	name := u.d.name(u.key)
	err := u.d.allow("rename")
	if err == nil {
		if err = os.Rename(u.file.Name(), name); errors.Is(err, fs.ErrNotExist) {
			if err = os.MkdirAll(filepath.Dir(name), 0o700); err == nil {
				err = os.Rename(u.file.Name(), name)
			}
		}
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) { // else somebody cleaned up
			u.d.failed()
		}
		u.abort()
		return
	}
	u.file.Close()
	u.file = nil
	if u.d.added.Add(sealedLen(u.size)) > u.d.maxSize/16 {
		u.d.clean(false)
	}
}

// abort removes the file, unless it has ended.
func (u *unfinished) abort() {
	if u.file != nil {
		_ = os.Remove(u.file.Name()) // or who cleans up will
		u.file.Close()
		u.file = nil
	}
}

// lockWait bounds how long the process waits for another that fetches the
// same object: it may be stopped, and two that fetch it do no harm.
const lockWait = 5 * time.Second

// lockKey makes this process the one that fetches an object, as far as the
// others can be asked. there says that another has finished it meanwhile.
func (d *disk) lockKey(ctx context.Context, k blockKey, size int64) (unlock func(), there bool, err error) {
	none := func() {}
	key := d.key(k)
	name := filepath.Join(d.dir, locksDir, hex.EncodeToString(key[:2])[:3])
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return none, false, nil // the disk's trouble; create will see it
	}
	wait := 2 * time.Millisecond
	for deadline := time.Now().Add(lockWait); ; wait = min(2*wait, 100*time.Millisecond) {
		ok, err := tryLock(file)
		if ok && d.hasBlock(k, size) {
			file.Close()
			return none, true, nil
		}
		if ok {
			return func() { file.Close() }, false, nil
		}
		if err != nil || time.Now().After(deadline) {
			file.Close()
			return none, false, nil
		}
		task.Detach(ctx)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			file.Close()
			return none, false, fault.New("open", k.path, fault.KindOf(ctx.Err()), context.Cause(ctx))
		}
	}
}
