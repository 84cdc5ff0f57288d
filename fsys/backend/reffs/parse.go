package reffs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys/driver"
	"github.com/leat-dev/leat/internal/archive"
)

// A ref is what a name stands for.
type ref struct {
	url    string // of the target; "" for inline
	off, n int64  // of the range; n is -1 for the whole target
	inline []byte
	why    error // why the name is not opened
}

// file is a reference file of version 1.
type file struct {
	Version   json.RawMessage            `json:"version"`
	Templates map[string]string          `json:"templates"`
	Gen       []generator                `json:"gen"`
	Refs      map[string]json.RawMessage `json:"refs"`
}

// parse reads a reference file of any version.
func parse(data []byte, most int) ([]archive.Item[ref], error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not a reference file: it is not UTF-8")
	}
	var f file
	top := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &top); err != nil {
		return nil, fmt.Errorf("not a reference file: %w", err)
	}
	if v, ok := top["version"]; ok {
		if string(v) != "1" {
			return nil, &fault.Error{Kind: fault.Unsupported, Err: fmt.Errorf("references of version %.20s; 0 and 1 are known", v)}
		}
		if err := json.Unmarshal(data, &f); err != nil {
			return nil, fmt.Errorf("not a reference file: %w", err)
		}
	} else {
		f.Refs = top
	}
	p := parser{templates: f.Templates, most: most}
	for _, key := range slices.Sorted(maps.Keys(f.Refs)) {
		r, err := p.ref(f.Refs[key])
		if err == nil {
			err = p.add(key, r)
		}
		if err != nil {
			return nil, fmt.Errorf("name %q: %w", brief(key), err)
		}
	}
	for i := range f.Gen {
		if err := p.generate(&f.Gen[i]); err != nil {
			return nil, fmt.Errorf("generated references, part %d: %w", i+1, err)
		}
	}
	return p.items, nil
}

// brief keeps messages readable.
func brief(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

type parser struct {
	templates map[string]string
	most      int
	items     []archive.Item[ref]
}

func (p *parser) add(key string, r ref) error {
	if len(p.items) >= p.most {
		return &fault.Error{Kind: fault.Refused, Err: fmt.Errorf("more than %d names; raise the limit if the file is trusted", p.most)}
	}
	if len(key) > archive.MaxName {
		return fmt.Errorf("it has %d bytes; %d is the most", len(key), archive.MaxName)
	}
	e := driver.Entry{Path: key, Kind: driver.File, Size: r.n}
	if r.url == "" {
		e.Size = int64(len(r.inline))
	}
	if err := archive.CheckName(key); err != nil {
		if key == "" {
			return err
		}
		e.Kind, e.Size, r.why = driver.Other, -1, err
	}
	p.items = append(p.items, archive.Item[ref]{Entry: e, Data: r})
	return nil
}

// ref reads the value of one name.
func (p *parser) ref(raw json.RawMessage) (ref, error) {
	switch raw[0] {
	case '{':
		return ref{inline: raw}, nil // metadata that was not made a string
	case '"':
		text, err := decodeString(raw)
		if err != nil {
			return ref{}, err
		}
		code, ok := strings.CutPrefix(text, "base64:")
		if !ok {
			return ref{inline: []byte(text)}, nil
		}
		data, err := base64.StdEncoding.DecodeString(code)
		return ref{inline: data}, err
	case '[':
		return p.target(raw)
	}
	return ref{}, fmt.Errorf("%s is neither text nor a target", brief(string(raw)))
}

// target reads [url] or [url, offset, length].
func (p *parser) target(raw json.RawMessage) (ref, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return ref{}, err
	}
	if len(parts) != 1 && len(parts) != 3 || parts[0][0] != '"' {
		return ref{}, errors.New("a target is [url] or [url, offset, length]")
	}
	url, err := decodeString(parts[0])
	if err != nil {
		return ref{}, err
	}
	r := ref{n: -1}
	if r.url, err = expand(url, p.templates, nil); err != nil {
		return ref{}, err
	}
	if r.url == "" {
		return ref{}, errors.New("the URL of a target is empty")
	}
	if len(parts) == 3 {
		if err := errors.Join(json.Unmarshal(parts[1], &r.off), json.Unmarshal(parts[2], &r.n)); err != nil {
			return ref{}, err
		}
	}
	return r, r.check()
}

func (r *ref) check() error {
	if r.off < 0 || r.n < -1 || r.off+max(r.n, 0) < 0 {
		return fmt.Errorf("the range of %d bytes from %d cannot be", r.n, r.off)
	}
	return nil
}

// decodeString decodes a JSON string. Halves of surrogate pairs, which
// encoding/json makes something else of, are refused.
func decodeString(raw []byte) (string, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", err
	}
	if strings.ContainsRune(s, utf8.RuneError) && !bytes.Contains(raw, []byte("\uFFFD")) && !bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`)) {
		return "", errors.New("the text has half a surrogate pair")
	}
	return s, nil
}
