package fsys

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leat-dev/leat/fault"
)

// LinkOptions are the options of one link of a chain, as in
// "cache,ttl=1m::s3://b/k": names in lower case and values as text. They hold
// no secrets, since they show in URLs and specs.
type LinkOptions map[string]string

// Read puts the options into variables, by name: a *string, *bool, *int,
// *time.Duration ("90s"), or *int64, which is a size ("64MiB"). What is not
// given stays as it is. An option without a variable, or one that does not
// parse, is an error of kind [fault.Invalid].
func (o LinkOptions) Read(into map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		v, ok := into[name]
		if !ok {
			known := strings.Join(slices.Sorted(maps.Keys(into)), ", ")
			if known == "" {
				known = "none"
			}
			return fault.New("option", "", fault.Invalid, fmt.Errorf("unknown option %q; known are %s", name, known))
		}
		if err := readOption(v, o[name]); err != nil {
			return fault.New("option", "", fault.Invalid, fmt.Errorf("%s=%s: %w", name, o[name], err))
		}
	}
	return nil
}

func readOption(into any, text string) (err error) {
	switch v := into.(type) {
	case *string:
		*v = text
	case *bool:
		if *v, err = strconv.ParseBool(text); err != nil {
			err = errors.New("want true or false")
		}
	case *int:
		if *v, err = strconv.Atoi(text); err != nil || *v < 0 {
			err = errors.New("want a whole number")
		}
	case *time.Duration:
		if *v, err = time.ParseDuration(text); err != nil || *v < 0 {
			err = errors.New(`want a time like "90s" or "24h"`)
		}
	case *int64:
		*v, err = parseSize(text)
	default:
		err = fmt.Errorf("no option can be read into a %T", into)
	}
	return err
}

var sizeUnits = map[string]float64{
	"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}

// parseSize reads a number of bytes.
func parseSize(text string) (int64, error) {
	n := len(text) - len(strings.TrimLeft(text, "0123456789."))
	unit, ok := sizeUnits[text[n:]]
	f, err := strconv.ParseFloat(text[:n], 64)
	if err != nil || !ok || f*unit >= math.MaxInt64 {
		return 0, errors.New(`want a size like "64MiB" or "10GB"`)
	}
	return int64(f * unit), nil
}

// String returns the options as they stand in a URL: ",name=value" for each,
// in the order of the names.
func (o LinkOptions) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(o)) {
		b.WriteString("," + name + "=" + escapeOption(o[name]))
	}
	return b.String()
}

func parseLinkOptions(text string) (LinkOptions, error) {
	o := LinkOptions{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if name = strings.ToLower(name); !ok || !isScheme(name) {
			return nil, fmt.Errorf("%q is no option; options are like ,name=value", pair)
		}
		if _, twice := o[name]; twice {
			return nil, fmt.Errorf("the option %s is given twice", name)
		}
		plain, err := unescapeOption(value)
		if err != nil {
			return nil, err
		}
		o[name] = plain
	}
	return o, nil
}

// escapeOption writes the bytes that have a meaning in a chain, and those
// that do not print, as percent escapes.
func escapeOption(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(",:%", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

var errEscape = errors.New("a percent sign in an option is written %25")

func unescapeOption(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errEscape
		}
		c, err := hex.DecodeString(s[i+1 : i+3])
		if err != nil {
			return "", errEscape
		}
		b.Write(c)
		i += 2
	}
	return b.String(), nil
}
