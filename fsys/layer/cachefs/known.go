package cachefs

import (
	"encoding/json"
	"os"
	"time"

	"github.com/leat-dev/leat/fsys/driver"
)

// What the store said about an object is kept on disk too, where answers are
// trusted for a while: else each process would ask again for each object,
// and could read nothing of what it has while the store is out of reach.

// knownObject is the index of such a record among the blocks of an object
// without a version.
const knownObject = -2

// A known is what the store said, and when.
type known struct {
	Size    int64
	ModTime time.Time
	Version []byte // not always text
	Asked   time.Time
}

// maxKnownBytes bounds what is read as a record.
const maxKnownBytes = chunkBytes

// getKnown returns what is on record about path, if it is not older than age.
func (d *disk) getKnown(path string, age time.Duration) (e driver.Entry, asked time.Time, ok bool) {
	if d == nil {
		return e, asked, false
	}
	key := blockKey{path: path, index: knownObject}
	info, err := os.Lstat(d.name(d.key(key)))
	if err != nil || info.Size() <= 4+trailerBytes || info.Size() > maxKnownBytes {
		return e, asked, false
	}
	data, ok := d.getBlock(key, info.Size()-4-trailerBytes) // one chunk
	if !ok {
		return e, asked, false
	}
	var k known
	if err := json.Unmarshal(data, &k); err != nil || len(k.Version) == 0 || expired(k.Asked, age) {
		return e, asked, false
	}
	return driver.Entry{Path: path, Kind: driver.File, Size: k.Size, ModTime: k.ModTime, Version: string(k.Version)}, k.Asked, true
}

// putKnown puts what the store just said on record.
func (d *disk) putKnown(e driver.Entry) {
	if d == nil {
		return
	}
	data, err := json.Marshal(known{e.Size, e.ModTime, []byte(e.Version), time.Now()})
	if err != nil {
		return // a time that JSON cannot hold
	}
	d.putBlock(blockKey{path: e.Path, index: knownObject}, data)
}

// dropKnown ends the record about path.
func (d *disk) dropKnown(path string) {
	if d != nil {
		_ = os.Remove(d.name(d.key(blockKey{path: path, index: knownObject}))) // mostly there is none
	}
}
