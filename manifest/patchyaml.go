// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"errors"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
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
	indented := hasIndentedSequence(root)
	for _, operation := range operations {
		if !patchNode(root, operation) {
			return nil, false
		}
	}
	patched, err := encode(&document, indented)
	return patched, err == nil
}

func encode(document *yaml.Node, indentSequences bool) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if !indentSequences {
		encoder.CompactSeqIndent()
	}
	err := encoder.Encode(document)
	return out.Bytes(), errors.Join(err, encoder.Close())
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
	tokens := splitPointer(operation.Path)
	last := tokens[len(tokens)-1]
	for _, token := range tokens[:len(tokens)-1] {
		if _, node = childAt(node, token); node == nil {
			return false
		}
	}
	if operation.Operation == "remove" {
		return removeMember(node, last)
	}
	text, err := json.Marshal(operation.Value, json.Deterministic(true))
	if err != nil {
		return false
	}
	value, err := toNode(text)
	if err != nil {
		return false
	}
	unflow(node)
	switch node.Kind {
	case yaml.MappingNode:
		setMember(node, last, value)
		return true
	case yaml.SequenceNode:
		return insertItem(node, last, value)
	}
	return false
}

func insertItem(node *yaml.Node, index string, value *yaml.Node) bool {
	at := len(node.Content)
	if index != "-" {
		var err error
		if at, err = strconv.Atoi(index); err != nil || at < 0 || at > len(node.Content) {
			return false
		}
	}
	node.Content = slices.Insert(node.Content, at, value)
	return true
}

// unflow writes an empty "[]" or "{}" that gets content in block style. A comment
// behind it would be lost there.
func unflow(node *yaml.Node) {
	if len(node.Content) > 0 {
		return
	}
	node.Style &^= yaml.FlowStyle
	if node.HeadComment == "" {
		node.HeadComment, node.LineComment = node.LineComment, ""
	}
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
