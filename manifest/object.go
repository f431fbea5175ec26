// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/workload"
)

// typeMeta says what an object is.
type typeMeta struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

func (t typeMeta) String() string { return t.APIVersion + " " + t.Kind }

// quoted is for messages: what a kind is called comes from the document.
func (t typeMeta) quoted() string {
	return annotation.Show(t.APIVersion) + " " + annotation.Show(t.Kind)
}

// object is one object of a document: the document itself, or an item of a List.
type object struct {
	typeMeta
	// Pointer is where it stands in the document, as a JSON pointer.
	Pointer string
	JSON    []byte
	// isList says that it is a List. Its items come next.
	isList bool
}

// eachObject calls do for an object, which may be a List, and for its items, also in
// one another. An item may leave out what it is in a list of one kind.
func eachObject(document []byte, pointer string, assumed typeMeta, do func(object) error) error {
	if document == nil {
		return nil
	}
	var head struct {
		typeMeta
		Items jsontext.Value `json:"items"`
	}
	if err := pod.DecodeInto(document, &head); err != nil {
		return unreadable(pointer, "not a Kubernetes object", err)
	}
	if head.Kind == "" {
		head.typeMeta = assumed
	}
	kind, isList := listOf(head.typeMeta)
	if err := do(object{typeMeta: head.typeMeta, Pointer: pointer, JSON: document, isList: isList}); err != nil || !isList {
		return err
	}
	items, err := itemsOf(head.Items)
	if err != nil {
		return &fault{[]string{pointer + "/items"}, err}
	}
	for i, item := range items {
		if err := eachObject(item, fmt.Sprintf("%s/items/%d", pointer, i), kind, do); err != nil {
			return err
		}
	}
	return nil
}

func itemsOf(raw jsontext.Value) (items []jsontext.Value, err error) {
	if len(raw) > 0 && raw.Kind() != '[' && raw.Kind() != 'n' {
		return nil, errors.New("not a Kubernetes object: /items must be a list")
	}
	if len(raw) > 0 {
		err = pod.DecodeInto(raw, &items)
	}
	return items, err
}

// listOf says whether an object is a list that may hold what is read here, and of
// what. Other kinds may well end in List.
func listOf(t typeMeta) (item typeMeta, isList bool) {
	kind, isList := strings.CutSuffix(t.Kind, "List")
	if !isList {
		return typeMeta{}, false
	}
	if kind == "" {
		return typeMeta{}, t.APIVersion == "v1" || t.APIVersion == ""
	}
	item = typeMeta{APIVersion: t.APIVersion, Kind: kind}
	_, hasPods := workload.KindOf(item.APIVersion, item.Kind)
	return item, hasPods || item.isAsset()
}

// nearestKind returns what was probably meant.
func nearestKind(t typeMeta, kinds []string) string { return annotation.Nearest(t.String(), kinds) }

// fault is what is wrong at a place in a document.
type fault struct {
	// pointers are where it may stand, the likeliest first.
	pointers []string
	err      error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// unreadable is the fault of what cannot be decoded below a pointer.
func unreadable(pointer, what string, err error) error {
	var unread *pod.Error
	if errors.As(err, &unread) {
		pointer += unread.Pointer
	}
	return &fault{[]string{pointer}, fmt.Errorf("%s: %w", what, err)}
}

// locate says where in the file the fault is.
func (d *Document) locate(err error) error {
	var f *fault
	if errors.As(err, &f) {
		return fmt.Errorf("%s: %w", d.at(d.lineOf(f.pointers...)), err)
	}
	return fmt.Errorf("%s: %w", d, err)
}
