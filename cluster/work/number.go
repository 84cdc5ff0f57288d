package work

import (
	"math"
	"math/big"
	"strconv"
)

// A number is an exact decimal: sums of it do not depend on the order. Most
// are small; the rest are in dec.
type number struct {
	small int64
	dec   *decimal
}

// decimal is coef / 10^scale.
type decimal struct {
	coef  big.Int
	scale int
}

// Numbers of inputs are bounded, so that a line cannot ask for gigabytes.
// Sums in partials may be longer.
const (
	maxDigits    = 512
	maxSumDigits = 8192
	maxExponent  = 400
)

// parseNumber reads a decimal number: sign, digits with a point, exponent.
func parseNumber(b []byte, maxLen int) (number, bool) {
	if n, ok := parseSmall(b); ok {
		return number{small: n}, true
	}
	if len(b) == 0 || len(b) > maxLen {
		return number{}, false
	}
	return parseDecimal(b, -maxLen)
}

// parseSmall reads integers of up to 18 digits, which is nearly all there is.
func parseSmall(b []byte) (int64, bool) {
	neg := false
	if len(b) > 1 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}

func parseDecimal(b []byte, minExponent int) (number, bool) {
	digits := make([]byte, 0, len(b))
	i, scale, seen, point := 0, 0, false, false
	if b[0] == '-' || b[0] == '+' {
		digits = append(digits, b[0])
		i++
	}
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c >= '0' && c <= '9':
			digits = append(digits, c)
			seen = true
			if point {
				scale++
			}
			continue
		case c == '.' && !point:
			point = true
			continue
		}
		break
	}
	if !seen {
		return number{}, false
	}
	if i < len(b) {
		if b[i] != 'e' && b[i] != 'E' {
			return number{}, false
		}
		exp, err := strconv.Atoi(string(b[i+1:]))
		if err != nil || exp < minExponent || exp > maxExponent {
			return number{}, false
		}
		scale -= exp
	}
	d := &decimal{scale: scale}
	if _, ok := d.coef.SetString(string(digits), 10); !ok {
		return number{}, false
	}
	d.rescale(max(scale, 0))
	return number{dec: d}, true
}

// rescale changes the scale to one that is not smaller.
func (d *decimal) rescale(scale int) {
	if scale > d.scale {
		f := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-d.scale)), nil)
		d.coef.Mul(&d.coef, f)
		d.scale = scale
	}
}

// decimal returns n as a decimal that may be changed.
func (n number) decimal() *decimal {
	d := &decimal{}
	if n.dec == nil {
		d.coef.SetInt64(n.small)
		return d
	}
	d.coef.Set(&n.dec.coef)
	d.scale = n.dec.scale
	return d
}

// add adds o to n.
func (n *number) add(o number) {
	if n.dec == nil && o.dec == nil {
		sum := n.small + o.small
		if (sum > n.small) == (o.small > 0) {
			n.small = sum
			return
		}
	}
	if n.dec == nil {
		n.dec = n.decimal()
	}
	if o.dec == nil || o.dec.scale != n.dec.scale {
		o.dec = o.decimal()
		scale := max(o.dec.scale, n.dec.scale)
		o.dec.rescale(scale)
		n.dec.rescale(scale)
	}
	n.dec.coef.Add(&n.dec.coef, &o.dec.coef)
}

// compare orders numbers by value.
func (n number) compare(o number) int {
	if n.dec == nil && o.dec == nil {
		switch {
		case n.small < o.small:
			return -1
		case n.small > o.small:
			return 1
		}
		return 0
	}
	a, b := n.decimal(), o.decimal()
	scale := max(a.scale, b.scale)
	a.rescale(scale)
	b.rescale(scale)
	return a.coef.Cmp(&b.coef)
}

// appendExact appends all digits of n, for partials.
func (n number) appendExact(b []byte) []byte {
	if n.dec == nil {
		return strconv.AppendInt(b, n.small, 10)
	}
	d := n.normal()
	b = d.coef.Append(b, 10)
	if d.scale > 0 {
		b = append(b, "e-"...)
		b = strconv.AppendInt(b, int64(d.scale), 10)
	}
	return b
}

// appendText appends n for people: an integer exactly, anything else as the
// nearest float64.
func (n number) appendText(b []byte) []byte {
	if n.dec == nil {
		return strconv.AppendInt(b, n.small, 10)
	}
	d := n.normal()
	if d.scale == 0 {
		return d.coef.Append(b, 10)
	}
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.scale)), nil)
	x, _ := new(big.Rat).SetFrac(&d.coef, ten).Float64()
	if a := math.Abs(x); a < 1e-6 || a >= 1e21 {
		return strconv.AppendFloat(b, x, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, x, 'f', -1, 64)
}

// normal returns n with the smallest scale.
func (n number) normal() *decimal {
	d := n.decimal()
	ten, q, r := big.NewInt(10), new(big.Int), new(big.Int)
	for d.scale > 0 {
		if q.QuoRem(&d.coef, ten, r); r.Sign() != 0 {
			break
		}
		d.coef.Set(q)
		d.scale--
	}
	return d
}
