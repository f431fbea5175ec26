// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
)

// splitter cuts a text at the lines that begin or end documents.
type splitter struct {
	documents []Document
	current   Document
	// ended says that the current document was ended by "...", so that a separator
	// behind it begins no other.
	ended bool
}

// splitYAML cuts at the lines that begin with "---", and behind those of "...":
// a parser reads no further than those. Comments before the first separator belong to
// the document behind it.
func splitYAML(text []byte) []Document {
	s := splitter{current: Document{Line: 1}}
	line := 0
	for rest := text; len(rest) > 0; {
		line++
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		s.add(rest[:end], line)
		rest = rest[end:]
	}
	if len(bytes.TrimSpace(s.current.Text)) > 0 {
		s.documents = append(s.documents, s.current)
	}
	return s.documents
}

func (s *splitter) add(text []byte, line int) {
	blank := !hasContent(s.current.Text)
	switch {
	case isMarker(text, "---"):
		s.separate(bytes.TrimLeft(text[3:], " \t\r\n"), line, blank)
	case isMarker(text, "...") && !blank:
		s.next(line + 1)
		s.ended = true
	case isMarker(text, "..."), text[0] == '%' && blank: // a directive, such as "%YAML 1.2"
		s.current.Text = append(s.current.Text, '\n') // in its place, to keep the line numbers
	default:
		s.current.Text = append(s.current.Text, text...)
	}
}

// separate begins a document with what stands behind "---" on its line, if
// anything does.
func (s *splitter) separate(behind []byte, line int, blank bool) {
	switch {
	case !blank, len(s.documents) > 0 && !s.ended:
		s.next(line)
	case len(s.current.Text) == 0:
		s.current.Line = line
	}
	s.ended = false
	if len(behind) > 0 {
		s.current.Text = append(s.current.Text, behind...)
	} else if len(s.current.Text) > 0 {
		s.current.Text = append(s.current.Text, '\n')
	} else {
		s.current.Line = line + 1
	}
}

func (s *splitter) next(line int) {
	s.documents = append(s.documents, s.current)
	s.current = Document{Line: line}
}

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(bytes.TrimSpace(rest)) == 0 || rest[0] == ' ' || rest[0] == '\t')
}

func hasContent(text []byte) bool {
	for _, line := range bytes.Split(text, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return true
		}
	}
	return false
}
