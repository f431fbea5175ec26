// SPDX-License-Identifier: Apache-2.0

package compile

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// watch reads what `go build -v` says: a line per package it begins, and
// the complaints of the compiler.
type watch struct {
	mu       sync.Mutex
	packages int
	rest     []byte   // the beginning of a line
	lines    []string // the last lines
}

func (w *watch) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, data...)
	for {
		line, rest, whole := bytes.Cut(w.rest, []byte("\n"))
		if !whole {
			return len(data), nil
		}
		w.rest = rest
		w.packages++
		w.lines = append(w.lines, string(line))
		if len(w.lines) > 20 {
			w.lines = w.lines[1:]
		}
	}
}

// doing says in a few words how far the build is.
func (w *watch) doing() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) == 0 {
		return "reading the sources"
	}
	return fmt.Sprintf("%d packages begun, last %s", w.packages, w.lines[len(w.lines)-1])
}

func (w *watch) complaints() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(append(w.lines, string(w.rest)), "\n")
}
