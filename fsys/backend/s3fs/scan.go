package s3fs

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanPage reads the XML of a page as services write it, about six times as
// fast as encoding/xml, which is most of the cost of a long listing. It
// returns false for a document with anything else in it (attributes,
// comments, mistakes), which is then for encoding/xml to judge.
func scanPage(body []byte) (*page, bool) {
	if !utf8.Valid(body) || bytes.IndexByte(body, '\r') >= 0 {
		return nil, false
	}
	s := &scanner{rest: bytes.TrimSpace(body), ok: true}
	if bytes.HasPrefix(s.rest, []byte("<?xml ")) {
		s.rest = bytes.TrimSpace(s.rest[bytes.Index(s.rest, []byte("?>"))+2:])
		if !plainHeader(body) {
			return nil, false
		}
	}
	root, attrs, _ := bytes.Cut(s.until('>'), []byte(" "))
	if string(root) != "<ListBucketResult" || len(attrs) > 0 && string(attrs) != s3Namespace {
		return nil, false
	}
	p := &page{}
	p.XMLName.Local = "ListBucketResult"
	if len(attrs) > 0 {
		p.XMLName.Space = "http://s3.amazonaws.com/doc/2006-03-01/"
	}
	for name := s.open("ListBucketResult"); name != ""; name = s.open("ListBucketResult") {
		s.child(p, name)
	}
	return p, s.ok && len(s.rest) == 0
}

const s3Namespace = `xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`

// plainHeader reports whether the XML declaration is one of the usual two.
func plainHeader(body []byte) bool {
	head := bytes.TrimSpace(body)
	return bytes.HasPrefix(head, []byte(`<?xml version="1.0" encoding="UTF-8"?>`)) || bytes.HasPrefix(head, []byte(`<?xml version="1.0"?>`))
}

// child reads one element of the root, whose opening tag has been read.
func (s *scanner) child(p *page, name string) {
	switch name {
	case "IsTruncated":
		switch s.text(name) {
		case "true":
			p.IsTruncated = true
		case "false":
			p.IsTruncated = false
		default:
			s.ok = false
		}
	case "NextContinuationToken":
		p.NextContinuationToken = s.text(name)
	case "EncodingType":
		p.EncodingType = s.text(name)
	case "Contents":
		s.object(p)
	case "CommonPrefixes":
		prefix := ""
		for field := s.open(name); field != ""; field = s.open(name) {
			if v := s.text(field); field == "Prefix" {
				prefix = v
			}
		}
		p.CommonPrefixes = append(p.CommonPrefixes, struct{ Prefix string }{prefix})
	default:
		s.skip(name)
	}
}

// object reads an element Contents.
func (s *scanner) object(p *page) {
	if p.Contents == nil {
		p.Contents = make([]object, 0, 1000)
	}
	p.Contents = append(p.Contents, object{})
	o := &p.Contents[len(p.Contents)-1]
	for field := s.open("Contents"); field != ""; field = s.open("Contents") {
		var err error
		switch field {
		case "Key":
			o.Key = s.text(field)
		case "ETag":
			o.ETag = s.text(field)
		case "Size":
			o.Size, err = strconv.ParseInt(s.text(field), 10, 64)
		case "LastModified":
			err = o.LastModified.UnmarshalText([]byte(s.text(field)))
		default:
			s.skip(field)
		}
		s.ok = s.ok && err == nil
	}
}

// A scanner reads elements without attributes. Once ok is false it has met
// something it does not read, and all it returns is empty.
type scanner struct {
	rest []byte
	ok   bool
}

// until takes what comes before c, and c.
func (s *scanner) until(c byte) []byte {
	i := bytes.IndexByte(s.rest, c)
	if i < 0 || !s.ok {
		s.ok = false
		return nil
	}
	taken := s.rest[:i]
	s.rest = s.rest[i+1:]
	return taken
}

// open reads the next opening tag and returns its name, or the closing tag of
// parent and returns "". Text between elements may only be white space.
func (s *scanner) open(parent string) string {
	s.rest = bytes.TrimLeft(s.rest, " \t\n")
	tag := s.until('>')
	if len(tag) < 2 || tag[0] != '<' {
		s.ok = false
		return ""
	}
	if tag[1] == '/' {
		s.ok = s.ok && string(tag[2:]) == parent
		return ""
	}
	for _, c := range tag[1:] {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9' || c == tag[1]) {
			s.ok = false
			return ""
		}
	}
	return string(tag[1:])
}

// text reads what is in the element name, and its closing tag.
func (s *scanner) text(name string) string {
	raw := s.until('<')
	closing := s.until('>')
	if len(closing) != len(name)+1 || closing[0] != '/' || string(closing[1:]) != name {
		s.ok = false
		return ""
	}
	return s.entities(raw)
}

// skip reads the element name to its closing tag, whatever is in it.
func (s *scanner) skip(name string) {
	for depth := []string{name}; s.ok && len(depth) > 0; {
		s.entities(s.until('<'))
		if bytes.HasPrefix(s.rest, []byte("/")) {
			s.ok = s.ok && string(s.until('>')) == "/"+depth[len(depth)-1]
			depth = depth[:len(depth)-1]
			continue
		}
		// open wants to see the bracket again.
		tag := s.until('>')
		inner := &scanner{rest: append(append([]byte("<"), tag...), '>'), ok: s.ok}
		depth = append(depth, inner.open(""))
		s.ok = inner.ok
	}
}

// entities replaces the five entities and numeric ones.
func (s *scanner) entities(raw []byte) string {
	for _, c := range raw {
		if c < ' ' && c != '\n' && c != '\t' || c == ']' {
			s.ok = false // not XML, or nearly the end of a CDATA section
			return ""
		}
	}
	if bytes.IndexByte(raw, '&') < 0 && bytes.IndexByte(raw, 0xEF) < 0 {
		return string(raw)
	}
	if bytes.Contains(raw, []byte("\uFFFE")) || bytes.Contains(raw, []byte("\uFFFF")) {
		s.ok = false
		return ""
	}
	var b strings.Builder
	for len(raw) > 0 {
		plain, after, found := bytes.Cut(raw, []byte("&"))
		b.Write(plain)
		if !found {
			break
		}
		name, rest, found := bytes.Cut(after, []byte(";"))
		r, known := entity(string(name))
		if !found || !known {
			s.ok = false
			return ""
		}
		b.WriteRune(r)
		raw = rest
	}
	return b.String()
}

// entity returns the character that an entity stands for.
func entity(name string) (rune, bool) {
	switch name {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, ok := strings.CutPrefix(name, "#")
	base := 10
	if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = hex, 16
	}
	if !ok || strings.ContainsAny(digits, "+-_") {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, base, 32)
	r := rune(n)
	return r, err == nil && (r >= ' ' || r == '\t' || r == '\n' || r == '\r') && r != 0xFFFE && r != 0xFFFF && utf8.ValidRune(r)
}
