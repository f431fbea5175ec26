// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// errTwice is the error of a mapping with one key twice.
var errTwice = errors.New("a key stands twice in one mapping")

// convert makes JSON of a document of YAML. The converter reads no further than the
// end of the first document, and would lose what is behind it. Its strict way
// refuses what a mapping has besides what it merges.
func convert(text []byte) ([]byte, error) {
	converted, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	var node yaml3.Node
	decoder := yaml3.NewDecoder(bytes.NewReader(text))
	err = decoder.Decode(&node)
	if err == nil {
		err = decoder.Decode(new(yaml3.Node))
	}
	switch {
	case !errors.Is(err, io.EOF):
		return nil, err
	case hasKeyTwice(&node):
		return nil, errTwice
	}
	return converted, nil
}

func hasKeyTwice(node *yaml3.Node) bool {
	if node.Kind == yaml3.MappingNode {
		seen := make(map[string]bool, len(node.Content)/2)
		for i := 0; i < len(node.Content); i += 2 {
			key := node.Content[i].Value
			if seen[key] && node.Content[i].Kind == yaml3.ScalarNode {
				return true
			}
			seen[key] = true
		}
	}
	return slices.ContainsFunc(node.Content, hasKeyTwice)
}

// isNotFinite says whether a text cannot be read because of a number that YAML has and
// JSON does not.
func isNotFinite(err error) bool {
	var unsupported *json.UnsupportedValueError
	return errors.As(err, &unsupported)
}

// notFinite returns the line of the first number below a node that is infinite or not a
// number, 0 if there is none.
func notFinite(node *yaml3.Node) int {
	var number float64
	if node.Kind == yaml3.ScalarNode && node.ShortTag() == "!!float" && node.Decode(&number) == nil && (math.IsInf(number, 0) || math.IsNaN(number)) {
		return node.Line
	}
	for _, child := range node.Content {
		if line := notFinite(child); line > 0 {
			return line
		}
	}
	return 0
}

// fixedWords are how the parser's messages begin that hold nothing of the text.
var fixedWords = regexp.MustCompile(`^(did not find|could not find|found |mapping values|block sequence|block collection|control characters|invalid (leading|trailing|length|Unicode)|incomplete|unexpected|exceeded|document contains excessive|map merge requires)`)

var linePrefix = regexp.MustCompile(`^(unmarshal errors: *)?line [0-9]+: `)

var lineNumber = regexp.MustCompile(`\bline ([0-9]+):`)

// wordYAMLError words what the YAML parser says, without what it repeats of the
// text: a password that begins with "*" is an alias to it, and named as one.
func wordYAMLError(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	for _, prefix := range []string{"error converting YAML to JSON: ", "yaml: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	text = linePrefix.ReplaceAllString(text, "")
	switch {
	case errors.Is(err, errTwice):
		return text
	case strings.HasPrefix(text, "unknown anchor"):
		return "an alias (*) of something that has no anchor (&)"
	case strings.Contains(text, "map key"):
		return "a key is neither text, a number nor a boolean"
	case strings.HasPrefix(text, "cannot decode"), strings.HasPrefix(text, "!!"):
		return "a value does not fit its tag (!!)"
	case fixedWords.MatchString(text):
		return text
	}
	return "it cannot be read"
}

// lookAhead is how many lines behind a supposed fault are tried, in case that it
// is just the first of a list or a text over several lines.
const lookAhead = 20

// maxSearched bounds the bytes that are read in search of one fault. It is a hundred times
// what people write as one document.
const maxSearched = 16 << 20

// near is how many lines before the one that the parser names are tried first.
const near = 3

// faultyLine returns the first line, counted from 1, from which on a text cannot
// be read. The parser's own numbers are often those of a later line or of an outer
// mapping. They have to do where the search would take too long.
func faultyLine(text []byte, err error) int {
	s := search{text: text, ends: lineEnds(text)}
	last := len(s.ends) - 1
	named := min(parsersLine(err), last)
	good, bad := s.around(named)
	for {
		good, bad = s.between(good, bad)
		for lines := bad + 1; lines <= min(bad+lookAhead, last); lines++ {
			if s.readable(lines) {
				good = lines
			}
		}
		switch {
		case s.searched > maxSearched:
			return named
		case good < bad:
			return bad
		}
		bad = last
	}
}

// search looks for a fault in a text.
type search struct {
	text     []byte
	ends     []int
	searched int // bytes
}

// readable says whether the first lines can be read by themselves.
func (s *search) readable(lines int) bool {
	if s.searched += s.ends[lines]; s.searched > maxSearched {
		return false
	}
	_, err := convert(s.text[:s.ends[lines]])
	return err == nil
}

// around tries the lines before one. It returns how many lines can be read and how
// many cannot, which is none and all if nothing was found out.
func (s *search) around(named int) (good, bad int) {
	bad = len(s.ends) - 1
	for lines := max(named-near, 1); lines <= named; lines++ {
		if s.readable(lines) {
			good, bad = lines, len(s.ends)-1
		} else if good > 0 {
			bad = min(bad, lines)
		}
	}
	return good, bad
}

// between halves what lies between lines that can be read and lines that cannot, until
// it is one line.
func (s *search) between(good, bad int) (int, int) {
	for bad-good > 1 {
		if middle := (good + bad) / 2; s.readable(middle) {
			good = middle
		} else {
			bad = middle
		}
	}
	return good, bad
}

// parsersLine returns the line that the parser names, or 1.
func parsersLine(err error) int {
	if named := lineNumber.FindStringSubmatch(err.Error()); named != nil {
		if line, err := strconv.Atoi(named[1]); err == nil {
			return max(line, 1)
		}
	}
	return 1
}

// lineEnds returns the offsets behind each line, after a first of 0.
func lineEnds(text []byte) []int {
	ends := []int{0}
	for end := 0; end < len(text); ends = append(ends, end) {
		next := bytes.IndexByte(text[end:], '\n')
		if next < 0 {
			end = len(text)
		} else {
			end += next + 1
		}
	}
	return ends
}
