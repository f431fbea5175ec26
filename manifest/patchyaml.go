// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	gojson "github.com/go-json-experiment/json"
	"go.yaml.in/yaml/v3"
	"gomodules.xyz/jsonpatch/v2"
)

// patchYAML applies operations to YAML as it is written, so that comments and the
// order of keys stay. It says false for a document that it cannot do this to: one
// with anchors, where a change in one place would be a change in another.
func patchYAML(text []byte, operations []jsonpatch.Operation) ([]byte, bool) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil || len(document.Content) != 1 || hasAlias(&document) {
		return nil, false
	}
	root := document.Content[0]
	for _, operation := range operations {
		if !patchNode(root, operation) {
			return nil, false
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if !hasIndentedSequence(root) {
		encoder.CompactSeqIndent()
	}
	if err := encoder.Encode(&document); err != nil {
		return nil, false
	}
	if err := encoder.Close(); err != nil {
		return nil, false
	}
	return out.Bytes(), true
}

func hasAlias(node *yaml.Node) bool {
	return node.Kind == yaml.AliasNode || node.Tag == "!!merge" || slices.ContainsFunc(node.Content, hasAlias)
}

// hasIndentedSequence says whether the author indents a list below its key.
func hasIndentedSequence(node *yaml.Node) bool {
	if node.Kind == yaml.MappingNode && node.Style&yaml.FlowStyle == 0 {
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			if value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle == 0 && len(value.Content) > 0 && value.Line > 0 {
				return value.Column > key.Column
			}
		}
	}
	return slices.ContainsFunc(node.Content, hasIndentedSequence)
}

// patchNode applies one operation, "add" or "remove".
func patchNode(node *yaml.Node, operation jsonpatch.Operation) bool {
	tokens := strings.Split(operation.Path, "/")[1:]
	for i := range tokens {
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(tokens[i])
	}
	for len(tokens) > 1 {
		if node = child(node, tokens[0]); node == nil {
			return false
		}
		tokens = tokens[1:]
	}
	if operation.Operation == "remove" {
		return removeMember(node, tokens[0])
	}
	value, ok := toNode(operation.Value)
	if !ok {
		return false
	}
	unflow(node)
	switch node.Kind {
	case yaml.MappingNode:
		setMember(node, tokens[0], value)
		return true
	case yaml.SequenceNode:
		at := len(node.Content)
		if tokens[0] != "-" {
			index, err := strconv.Atoi(tokens[0])
			if err != nil || index < 0 || index > at {
				return false
			}
			at = index
		}
		node.Content = slices.Insert(node.Content, at, value)
		return true
	}
	return false
}

// unflow writes an empty "[]" or "{}" that gets content in block style.
func unflow(node *yaml.Node) {
	if len(node.Content) == 0 {
		node.Style &^= yaml.FlowStyle
	}
}

func child(node *yaml.Node, token string) *yaml.Node {
	switch node.Kind {
	case yaml.MappingNode:
		if at := member(node, token); at >= 0 {
			return node.Content[at+1]
		}
	case yaml.SequenceNode:
		if index, err := strconv.Atoi(token); err == nil && index >= 0 && index < len(node.Content) {
			return node.Content[index]
		}
	}
	return nil
}

// member returns the index of a key, -1 if there is none.
func member(node *yaml.Node, name string) int {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return i
		}
	}
	return -1
}

func setMember(node *yaml.Node, name string, value *yaml.Node) {
	if at := member(node, name); at >= 0 {
		value.HeadComment, value.LineComment, value.FootComment =
			node.Content[at+1].HeadComment, node.Content[at+1].LineComment, node.Content[at+1].FootComment
		node.Content[at+1] = value
		return
	}
	key := &yaml.Node{}
	key.SetString(name)
	node.Content = append(node.Content, key, value)
}

func removeMember(node *yaml.Node, name string) bool {
	at := member(node, name)
	if node.Kind != yaml.MappingNode || at < 0 {
		return false
	}
	node.Content = slices.Delete(node.Content, at, at+2)
	return true
}

// toNode makes a node of an operation's value by way of JSON, so that fields have
// the names that they have in the patch.
func toNode(value any) (*yaml.Node, bool) {
	text, err := gojson.Marshal(value, gojson.Deterministic(true))
	if err != nil {
		return nil, false
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil || len(document.Content) != 1 {
		return nil, false
	}
	block(document.Content[0])
	return document.Content[0], true
}

// block drops the flow style and the quotes that the JSON came with, where YAML
// does not need them.
func block(node *yaml.Node) {
	node.Style &^= yaml.FlowStyle
	if node.Kind == yaml.ScalarNode && node.Tag == "!!str" {
		node.Style = 0
	}
	for _, c := range node.Content {
		block(c)
	}
}
