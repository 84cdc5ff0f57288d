package httpfs

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/leat-dev/leat/fault"
	"github.com/leat-dev/leat/fsys"
)

// Split cuts "http://host/path?query" into "http://host?query" and the path,
// with its percent escapes decoded to bytes. In a pattern, a wildcard that
// was escaped stands for itself. It is the Split of a backend.
func Split(rawURL string, pattern bool) (root, path string, err error) {
	fail := func(text string) (string, string, error) {
		return "", "", &fault.Error{Op: "resolve", Path: rawURL, Kind: fault.Invalid, Err: errors.New(text)}
	}
	scheme, rest, ok := strings.Cut(rawURL, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		return fail("a web URL is like https://host/path")
	}
	rest, query, hasQuery := strings.Cut(rest, "?")
	host, escaped, _ := strings.Cut(rest, "/")
	switch {
	case strings.Contains(rest, "#") || strings.Contains(query, "#"):
		return fail(`a "#" in a web URL must be written %23`)
	case strings.Contains(host, "@"):
		// It would show in every message and listing.
		return "", "", &fault.Error{Op: "resolve", Path: scheme + "://…", Kind: fault.Invalid, Err: errors.New("a user name or password in a URL is not supported")}
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil || u.Hostname() == "" {
		return fail("host is missing or wrong")
	}
	host = strings.ToLower(u.Host)
	if p := u.Port(); p == "" || p == map[string]string{"http": "80", "https": "443"}[scheme] {
		host = strings.TrimSuffix(host, ":"+p)
	}
	if path, err = decode(escaped, pattern); err != nil {
		return fail(err.Error())
	}
	root = scheme + "://" + host
	if hasQuery && query != "" {
		root += "?" + query
	}
	return root, path, nil
}

// Join is the inverse of [Split] for plain names.
func Join(root, path string) string {
	server, query, ok := strings.Cut(root, "?")
	joined := server + "/" + encode(path)
	if ok {
		joined += "?" + query
	}
	return joined
}

// decode undoes percent escapes. With pattern set, what was escaped is quoted
// so that it is no wildcard.
func decode(s string, pattern bool) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
			return "", fmt.Errorf("%q is no percent escape; a percent sign in a web URL is written %%25", s[i:min(i+3, len(s))])
		}
		c := string([]byte{byte(unhex(s[i+1])<<4 | unhex(s[i+2]))})
		if pattern {
			c = fsys.QuoteMeta(c)
		}
		b.WriteString(c)
		i += 2
	}
	return b.String(), nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// encode escapes every byte that cannot stand in the path of a URL.
func encode(path string) string {
	const hexDigits = "0123456789ABCDEF"
	b := make([]byte, 0, len(path)+16)
	for _, c := range []byte(path) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-._~/!$&'()+,;=:@", c) >= 0:
			b = append(b, c)
		default:
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}

// secretWords in the name of a query parameter say that its value is one, as
// in a signed URL.
var secretWords = []string{"sig", "token", "secret", "pass", "cred", "auth", "key", "session"}

// secretQuery reports whether the query of a root seems to hold a credential.
func secretQuery(root string) bool {
	_, query, _ := strings.Cut(root, "?")
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		name = strings.ToLower(name)
		for _, word := range secretWords {
			if strings.Contains(name, word) {
				return true
			}
		}
	}
	return false
}
