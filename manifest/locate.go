// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// lineOf returns the line of the file where the first of several places stands
// that there is; where there is none, the nearest around the first. Places are
// JSON pointers.
func (d *Document) lineOf(pointers ...string) int {
	var document yaml.Node
	if err := yaml.Unmarshal(d.Text, &document); err != nil || len(document.Content) != 1 {
		return d.Line // JSON with escapes that YAML does not know
	}
	nearest := 0
	for i, pointer := range pointers {
		line, found := find(document.Content[0], splitPointer(pointer))
		if i == 0 || found {
			nearest = line
		}
		if found {
			break
		}
	}
	return d.Line - 1 + max(nearest, 1)
}

// find returns the line of a place below a node, or how far it came.
func find(node *yaml.Node, tokens []string) (line int, found bool) {
	line = node.Line
	for _, token := range tokens {
		if node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		at, next := childAt(node, token)
		if next == nil {
			return line, false
		}
		line, node = at, next
	}
	return line, true
}

// childAt returns a member or an item, with the line where it begins.
func childAt(node *yaml.Node, token string) (line int, value *yaml.Node) {
	switch node.Kind {
	case yaml.MappingNode:
		if at := member(node, token); at >= 0 {
			return node.Content[at].Line, node.Content[at+1]
		}
	case yaml.SequenceNode:
		if index, err := strconv.Atoi(token); err == nil && index >= 0 && index < len(node.Content) {
			return node.Content[index].Line, node.Content[index]
		}
	}
	return 0, nil
}

var unescaper = strings.NewReplacer("~1", "/", "~0", "~")

// splitPointer returns the names in a JSON pointer.
func splitPointer(pointer string) []string {
	tokens := strings.Split(pointer, "/")[1:]
	for i := range tokens {
		tokens[i] = unescaper.Replace(tokens[i])
	}
	return tokens
}
