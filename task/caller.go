package task

import (
	"reflect"
	"runtime"
	"strconv"
)

// A site is where a task was started: the distance of the return address of
// the call from a function of this package. In half the room of an address
// it reaches 2 GiB of code; 0 is unknown.
type site int32

var siteBase = int64(reflect.ValueOf(checkUnits).Pointer())

func siteOf(pc uintptr) site {
	d := int64(pc) - siteBase
	if pc == 0 || d != int64(site(d)) {
		return 0
	}
	return site(d)
}

// spawned returns the file and line that started the task.
func (r *record) spawned() string {
	if r.at == 0 {
		return ""
	}
	f, _ := runtime.CallersFrames([]uintptr{uintptr(siteBase + int64(r.at))}).Next()
	if f.File == "" {
		return ""
	}
	return f.File + ":" + strconv.Itoa(f.Line)
}
