package task

import (
	"runtime"
	"strconv"
)

// spawned returns the file and line that started the task.
func (r *record) spawned() string {
	if r.pc == 0 {
		return ""
	}
	f, _ := runtime.CallersFrames([]uintptr{r.pc}).Next()
	if f.File == "" {
		return ""
	}
	return f.File + ":" + strconv.Itoa(f.Line)
}
