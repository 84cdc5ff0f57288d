package cli

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/leat-dev/leat/bulk"
	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

// printJSON writes v as one line. Strings that are not UTF-8 cannot be in
// JSON: a member with "_b64" after its name has their bytes.
func (s *Streams) printJSON(v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	return s.record(b.Bytes())
}

// b64 returns the bytes of a name that JSON cannot show, else nil.
func b64(name string) []byte {
	if utf8.ValidString(name) {
		return nil
	}
	return []byte(name)
}

// entryJSON is an object or directory.
type entryJSON struct {
	Name    string     `json:"name"`
	NameB64 []byte     `json:"name_b64,omitempty"`
	URL     string     `json:"url"`
	URLB64  []byte     `json:"url_b64,omitempty"`
	Kind    string     `json:"kind"`
	Size    *int64     `json:"size,omitempty"`
	ModTime *time.Time `json:"mod_time,omitempty"`
	Version string     `json:"version,omitempty"`
	Local   string     `json:"local_path,omitempty"`
}

func newEntryJSON(name, url string, e fsys.Entry) entryJSON {
	j := entryJSON{
		Name: name, NameB64: b64(name), URL: url, URLB64: b64(url),
		Kind: e.Kind.String(), Version: e.Version,
	}
	if e.Kind == fsys.File && e.Size >= 0 {
		j.Size = &e.Size
	}
	if !e.ModTime.IsZero() {
		t := e.ModTime.UTC()
		j.ModTime = &t
	}
	return j
}

// eventJSON is the end of one item of a run.
type eventJSON struct {
	Op     string     `json:"op"`
	Status string     `json:"status"`
	Src    string     `json:"src"`
	SrcB64 []byte     `json:"src_b64,omitempty"`
	Dst    string     `json:"dst,omitempty"`
	DstB64 []byte     `json:"dst_b64,omitempty"`
	Bytes  int64      `json:"bytes,omitempty"`
	Reason string     `json:"reason,omitempty"`
	Error  *errorJSON `json:"error,omitempty"`
}

type errorJSON struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

func newErrorJSON(err error) *errorJSON {
	if err == nil {
		return nil
	}
	return &errorJSON{Kind: fault.KindOf(err).String(), Text: oneLine(err.Error())}
}

func newEventJSON(ev bulk.Event) eventJSON {
	src, dst := ev.Src.URL(), ev.Dst.URL()
	return eventJSON{
		Op: ev.Op, Status: ev.Status.String(), Src: src, SrcB64: b64(src),
		Dst: dst, DstB64: b64(dst), Bytes: ev.Bytes, Reason: ev.Reason,
		Error: newErrorJSON(ev.Err),
	}
}

// summaryJSON is the last line of every command that prints JSON.
type summaryJSON struct {
	Summary  bool       `json:"summary"` // always true: tells it from a record
	Op       string     `json:"op"`
	Done     int64      `json:"done"`
	Failed   int64      `json:"failed"`
	Skipped  int64      `json:"skipped"`
	Canceled int64      `json:"canceled"`
	Bytes    int64      `json:"bytes"`
	DryRun   bool       `json:"dry_run,omitempty"`
	Error    *errorJSON `json:"error,omitempty"` // what ended the run early
}

func newSummaryJSON(op string, sum *bulk.Summary, err error) summaryJSON {
	if _, items := err.(*bulk.ItemsError); items {
		err = nil
	}
	return summaryJSON{
		Summary: true, Op: op, Done: sum.Done, Failed: sum.Failed, Skipped: sum.Skipped,
		Canceled: sum.Canceled, Bytes: sum.Bytes, Error: newErrorJSON(err),
	}
}
