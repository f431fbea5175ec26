// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/credence-dev/credence/injector/pod"
)

// Path says where the pod templates of a kind are: ".spec.template",
// ".spec.groups[*].template" for each item of a list, ".spec.replicas.*.template" for
// each value of a map. The zero value is the object itself.
type Path struct {
	text  string
	steps []Step
}

// Step is one part of a path: a field, or all that is in a list or a map.
type Step struct {
	// Field is the name of a field; empty for the others.
	Field string
	// Items are those of a list, if it is no field, else the values of a map.
	Items bool
}

// errPath is what a path has to look like.
var errPath = errors.New("a path is made of .field, .* for every value of a map, and [*] for every item of a list")

// ParsePath reads a path.
func ParsePath(text string) (Path, error) {
	p := Path{text: text}
	for rest := text; rest != ""; {
		if after, ok := strings.CutPrefix(rest, "[*]"); ok && len(p.steps) > 0 {
			p.steps, rest = append(p.steps, Step{Items: true}), after
			continue
		}
		name, ok := strings.CutPrefix(rest, ".")
		if !ok {
			return Path{}, errPath
		}
		end := strings.IndexAny(name, ".[")
		if end < 0 {
			end = len(name)
		}
		name, rest = name[:end], name[end:]
		switch {
		case name == "*":
			p.steps = append(p.steps, Step{})
		case isField(name):
			p.steps = append(p.steps, Step{Field: name})
		default:
			return Path{}, errPath
		}
	}
	if len(p.steps) == 0 || p.steps[0].Field == "" {
		return Path{}, errPath
	}
	return p, nil
}

func isField(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return name != ""
}

// mustPaths are for the kinds that are known.
func mustPaths(texts ...string) []Path {
	paths := make([]Path, len(texts))
	for i, text := range texts {
		path, err := ParsePath(text)
		if err != nil {
			panic(fmt.Sprintf("path %q: %v", text, err)) // the table is a constant, and tested
		}
		paths[i] = path
	}
	return paths
}

// String returns the path as it was written.
func (p Path) String() string { return p.text }

// Steps are the parts of the path.
func (p Path) Steps() []Step { return p.steps }

// maxTemplates bounds how many pod templates of an object are looked at. Nobody has
// a tenth of it.
const maxTemplates = 1000

// found is a template in an object: where it is, as a JSON pointer, and its JSON.
type found struct {
	pointer string
	value   jsontext.Value
}

// in returns what is at the path in an object, without what is not there or null.
func (p Path) in(object jsontext.Value) ([]found, error) {
	at := []found{{value: object}}
	for _, step := range p.steps {
		var next []found
		for _, one := range at {
			below, err := step.in(one)
			if err != nil {
				return nil, err
			}
			if next = append(next, below...); len(next) > maxTemplates {
				return nil, &pod.Error{Pointer: one.pointer, Problem: fmt.Sprintf("not a workload that can be decided about: it has more than %d pod templates", maxTemplates)}
			}
		}
		at = next
	}
	return slices.DeleteFunc(at, func(one found) bool { return isNull(one.value) }), nil
}

// in returns what a step leads to.
func (s Step) in(from found) (list []found, err error) {
	if isNull(from.value) {
		return nil, nil
	}
	if s.Items {
		var items []jsontext.Value
		if err := json.Unmarshal(from.value, &items); err != nil {
			return nil, pod.Within(from.pointer, pod.Explain(err).NotA("workload"))
		}
		for i, item := range items {
			list = append(list, found{from.pointer + "/" + strconv.Itoa(i), item})
		}
		return list, nil
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(from.value, &members); err != nil {
		return nil, pod.Within(from.pointer, pod.Explain(err).NotA("workload"))
	}
	if s.Field != "" {
		return []found{{string(jsontext.Pointer(from.pointer).AppendToken(s.Field)), members[s.Field]}}, nil
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		list = append(list, found{string(jsontext.Pointer(from.pointer).AppendToken(name)), members[name]})
	}
	return list, nil
}

// Find returns the objects at the path in an object as JSON has it. What is of
// another type is passed over.
func (p Path) Find(object map[string]any) []map[string]any {
	at := []any{object}
	for _, step := range p.steps {
		var next []any
		for _, one := range at {
			switch one := one.(type) {
			case []any:
				if step.Items {
					next = append(next, one...)
				}
			case map[string]any:
				switch {
				case step.Items:
				case step.Field != "":
					next = append(next, one[step.Field])
				default:
					next = slices.AppendSeq(next, maps.Values(one))
				}
			}
		}
		at = next
	}
	var list []map[string]any
	for _, one := range at {
		if template, ok := one.(map[string]any); ok && len(list) < maxTemplates {
			list = append(list, template)
		}
	}
	return list
}
