// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"slices"
)

// splitter cuts a text at the lines that begin or end documents. What it has seen of
// a document is looked at once: a text may be one document of many megabytes.
type splitter struct {
	text      []byte
	documents []Document
	// start is where the current document begins as it is written, line the line of
	// its text.
	start, line int
	// lead is its text before any content: comments, and blank lines in place of
	// markers and directives, to keep the line numbers.
	lead []byte
	// content is where its content begins, -1 before there is any.
	content int
	// separated says that it has a "---".
	separated bool
	// ended says that the document before was ended by "...", so that a separator
	// behind it begins no other.
	ended bool
}

// splitYAML cuts at the lines that begin with "---", and behind those of "...":
// a parser reads no further than those. Comments before the first separator belong to
// the document behind it.
func splitYAML(text []byte) []Document {
	s := splitter{text: text, line: 1, content: -1}
	line := 0
	for at := 0; at < len(text); {
		line++
		end := len(text)
		if next := bytes.IndexByte(text[at:], '\n'); next >= 0 {
			end = at + next + 1
		}
		s.add(at, end, line)
		at = end
	}
	return s.finish()
}

// add takes the next line of the text.
func (s *splitter) add(at, end, line int) {
	switch text := s.text[at:end]; {
	case isMarker(text, "---"):
		s.separate(at, end, line)
	case s.content >= 0:
		if isMarker(text, "...") {
			s.next(at, end, line+1)
			s.ended = true
		}
	case isMarker(text, "..."), text[0] == '%': // a directive, such as "%YAML 1.2"
		s.lead = append(s.lead, '\n')
	default:
		s.take(at, end)
	}
}

// take adds to a document that has no content yet.
func (s *splitter) take(at, end int) {
	if text := bytes.TrimSpace(s.text[at:end]); len(text) > 0 && text[0] != '#' {
		s.content = at
		return
	}
	s.lead = append(s.lead, s.text[at:end]...)
}

// separate begins a document with what stands behind "---" on its line, if
// anything does.
func (s *splitter) separate(at, end, line int) {
	switch {
	case s.content >= 0, len(s.documents) > 0 && !s.ended:
		s.next(at, at, line)
	case len(s.lead) == 0:
		s.line = line
	}
	s.ended, s.separated = false, true
	behind := end - len(bytes.TrimLeft(s.text[at+3:end], " \t\r\n"))
	switch {
	case behind < end:
		s.take(behind, end)
	case len(s.lead) > 0:
		s.lead = append(s.lead, '\n')
	default:
		s.line = line + 1
	}
}

// next ends the current document: its text where that ends, and what is written of
// it where the next one begins.
func (s *splitter) next(end, begin, line int) {
	s.documents = append(s.documents, Document{
		Line: s.line, Text: s.textUntil(end), written: s.text[s.start:begin:begin], separated: s.separated,
	})
	*s = splitter{text: s.text, documents: s.documents, start: begin, line: line, content: -1}
}

func (s *splitter) textUntil(end int) []byte {
	switch {
	case s.content < 0:
		return s.lead
	case len(s.lead) == 0:
		return s.text[s.content:end:end]
	}
	return slices.Concat(s.lead, s.text[s.content:end])
}

// finish returns the documents. Nothing but markers and blank lines at the end of a
// text is no document.
func (s *splitter) finish() []Document {
	if s.content >= 0 || len(bytes.TrimSpace(s.lead)) > 0 {
		s.next(len(s.text), len(s.text), 0)
	} else if last := len(s.documents) - 1; last >= 0 {
		written := &s.documents[last].written
		*written = s.text[s.start-len(*written):]
	}
	return s.documents
}

func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(bytes.TrimSpace(rest)) == 0 || rest[0] == ' ' || rest[0] == '\t')
}
