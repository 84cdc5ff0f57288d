package cli

import "errors"

// splitWords cuts a line into words as a shell does: blanks separate them, ' "
// and \ take characters as they are, # at the beginning of a word makes the
// rest a comment. Nothing is expanded, so wildcards are left to leat. Between
// double quotes \ stands for itself unless it is before " or \.
func splitWords(line string) ([]string, error) {
	var words []string
	var word []byte
	in := false // inside a word
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == ' ', c == '\t', c == '\r':
			if in {
				words = append(words, string(word))
			}
			word, in = word[:0], false
		case c == '#' && !in:
			return words, nil
		case c == '\\':
			if i++; i == len(line) {
				return nil, errors.New(`\ at the end of the line quotes nothing`)
			}
			// As in a shell, and so that a quoted wildcard stays quoted for
			// leat, it takes '\\*' or "\*" to write \*.
			word, in = append(word, line[i]), true
		case c == '\'' || c == '"':
			n, err := quoted(line[i:], &word)
			if err != nil {
				return nil, err
			}
			i += n - 1
			in = true
		default:
			word, in = append(word, c), true
		}
	}
	if in {
		words = append(words, string(word))
	}
	return words, nil
}

// quoted appends what is between the quotes that text begins with to word,
// and returns the length with the quotes.
func quoted(text string, word *[]byte) (int, error) {
	quote := text[0]
	for i := 1; i < len(text); i++ {
		c := text[i]
		switch {
		case c == quote:
			return i + 1, nil
		case c == '\\' && quote == '"' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			c = text[i]
		}
		*word = append(*word, c)
	}
	return 0, errors.New("a quote " + string(quote) + " is not closed")
}
