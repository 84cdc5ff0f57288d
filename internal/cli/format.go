package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// count writes a number with a comma every three digits.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// objects writes a number of objects.
func objects(n int64) string {
	if n == 1 {
		return "1 object"
	}
	return count(n) + " objects"
}

// size writes a number of bytes in binary units, with three digits.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), 0
	for v >= 1024 && unit < 6 {
		v /= 1024
		unit++
	}
	digits := 0
	switch {
	case v < 10:
		digits = 2
	case v < 100:
		digits = 1
	}
	return fmt.Sprintf("%.*f %ciB", digits, v, " KMGTPE"[unit])
}

// parseSize reads a number of bytes: digits, with a unit k, m, g, t or p of
// 1024, upper or lower case, or kb, mb, … of 1000, or kib, mib, … of 1024.
func parseSize(text string) (int64, error) {
	lower := strings.ToLower(strings.TrimSpace(text))
	digits := strings.TrimRight(lower, "bikmgtp ")
	unit := strings.TrimSpace(lower[len(digits):])
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || strings.Trim(digits, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is no size; write 4096, 64k, 1.5MiB or 2GB", text)
	}
	factor, ok := unitFactor(unit)
	if !ok {
		return 0, fmt.Errorf("%q is no size; the units are k, m, g, t and p", text)
	}
	n *= factor
	if n >= 1<<63 {
		return 0, fmt.Errorf("%q is more than 8 EiB", text)
	}
	return int64(n), nil
}

// unitFactor returns the number of bytes of a unit in lower case.
func unitFactor(unit string) (factor float64, ok bool) {
	if unit == "" || unit == "b" {
		return 1, true
	}
	power := strings.IndexByte("kmgtp", unit[0]) + 1
	switch unit[1:] {
	case "", "ib":
		return math.Pow(1024, float64(power)), power > 0
	case "b":
		return math.Pow(1000, float64(power)), power > 0
	}
	return 0, false
}

// took writes a duration in two or three digits.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// stamp writes a time: local and short for a terminal, RFC 3339 in UTC for a
// pipe, "-" when there is none.
func (s *Streams) stamp(t time.Time) string {
	switch {
	case t.IsZero():
		return "-"
	case s.OutTerm:
		return t.Local().Format("2006-01-02 15:04")
	}
	return t.UTC().Format(time.RFC3339)
}
