package cachefs

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// cleanOften is how long a process that begins trusts the last cleaning
	// of another.
	cleanOften = 10 * time.Second
	// abandoned is when an unfinished file is nobody's, where locks cannot
	// tell.
	abandoned = time.Hour
)

// clean removes unfinished files of processes that are gone, files too old,
// and those unused for longest until a tenth is free. One process does it at
// a time; the others go on. With lazy set a cleaning of a moment ago will do.
func (d *disk) clean(lazy bool) {
	d.added.Store(0)
	name := filepath.Join(d.dir, cleanFile)
	if info, err := os.Stat(name); lazy && err == nil && time.Since(info.ModTime()).Abs() < cleanOften {
		return
	}
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		d.failed()
		return
	}
	defer file.Close() // and with it the lock
	if ok, err := tryLock(file); !ok && err == nil {
		return // another process is at it
	}
	now := time.Now()
	_ = os.Chtimes(name, now, now)
	d.cleanTemp()
	d.cleanData()
}

// cleanTemp removes unfinished files that nobody writes to.
func (d *disk) cleanTemp() {
	entries, err := os.ReadDir(filepath.Join(d.dir, tmpDir))
	if err != nil {
		return // there is nothing to clean, or nothing that could be
	}
	for _, e := range entries {
		name := filepath.Join(d.dir, tmpDir, e.Name())
		file, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		free, err := tryLock(file)
		if err != nil {
			info, serr := file.Stat()
			free = serr == nil && time.Since(info.ModTime()) > abandoned
		}
		if free && d.allow("remove") == nil {
			_ = os.Remove(name)
		}
		file.Close()
	}
}

// A cached file as cleaning sees it.
type cached struct {
	name string
	size int64
	used time.Time
}

// cleanData removes finished files.
func (d *disk) cleanData() {
	var files []cached
	var total int64
	_ = filepath.WalkDir(filepath.Join(d.dir, dataDir), func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil // it is gone, or not ours
		}
		if info, err := e.Info(); err == nil {
			files = append(files, cached{name, info.Size(), info.ModTime()})
			total += info.Size()
		}
		return nil
	})
	slices.SortFunc(files, func(a, b cached) int { return a.used.Compare(b.used) })
	goal := total
	if total > d.maxSize-d.maxSize/16 {
		goal = d.maxSize - d.maxSize/10
	}
	for _, f := range files {
		if total <= goal && !expired(f.used, d.age) {
			continue
		}
		if d.allow("remove") != nil || os.Remove(f.name) != nil {
			continue
		}
		total -= f.size
		d.stats.Evicted.Add(1)
	}
}
