// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	yaml3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// toNode makes a node of JSON, in block style and with the order of members and
// the numbers to the letter.
func toNode(text []byte) (*yaml3.Node, error) {
	return readNode(jsontext.NewDecoder(bytes.NewReader(text)))
}

func readNode(decoder *jsontext.Decoder) (*yaml3.Node, error) {
	token, err := decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	node := &yaml3.Node{Kind: yaml3.ScalarNode, Value: token.String()}
	switch token.Kind() {
	case '{', '[':
		node.Kind, node.Value = yaml3.MappingNode, ""
		if token.Kind() == '[' {
			node.Kind = yaml3.SequenceNode
		}
		for decoder.PeekKind() != '}' && decoder.PeekKind() != ']' {
			child, err := readNode(decoder)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		_, err = decoder.ReadToken()
		if len(node.Content) == 0 {
			node.Style = yaml3.FlowStyle
		}
	case '"':
		node.Tag = "!!str"
		switch {
		case isPlain(node.Value):
		case strings.Contains(node.Value, `"`):
			node.Style = yaml3.SingleQuotedStyle
		default:
			node.Style = yaml3.DoubleQuotedStyle
		}
	}
	return node, err
}

// isPlain says whether a string needs no quotes, or is text of several lines. It
// asks the reader that kubectl has, too: to that one "yes" and "0777" are none.
func isPlain(value string) bool {
	if strings.Contains(strings.TrimSuffix(value, "\n"), "\n") {
		return !strings.ContainsAny(value[:1], " \t\n") // else the writer gets the indentation wrong
	}
	var read any
	err := yaml.Unmarshal([]byte(value), &read)
	return err == nil && read == any(value) && !oldMeaning.MatchString(value)
}

// oldMeaning matches what other readers of YAML 1.1 take for a number to the base
// of 60, or for a default value.
var oldMeaning = regexp.MustCompile(`^([-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|=)$`)
