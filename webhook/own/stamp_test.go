// SPDX-License-Identifier: Apache-2.0

package own_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	gojson "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/webhook/own"
)

// document is an object with annotations as JSON; empty for none.
func document(annotations, spec string) string {
	metadata := `{"name":"openai"}`
	if annotations != "" {
		metadata = `{"name":"openai","annotations":` + annotations + `}`
	}
	return `{"apiVersion":"credence.dev/v1alpha1","kind":"Credential","metadata":` + metadata + `,"spec":` + spec + `}`
}

func decode(t testing.TB, document string) *own.Object {
	t.Helper()
	if document == "" {
		return nil
	}
	object := &own.Object{}
	if err := gojson.Unmarshal([]byte(document), object); err != nil {
		t.Fatal(err)
	}
	return object
}

const (
	spec    = `{"type":"generic","scope":{"level":"project"},"secretRef":{"name":"a"}}`
	renamed = `{"type":"generic","scope":{"level":"project"},"secretRef":{"name":"a"},"displayName":"A"}`

	janes     = `{"credence.dev/created-by":"jane","credence.dev/updated-by":"jane"}`
	janesJoes = `{"credence.dev/created-by":"jane","credence.dev/updated-by":"joe"}`
)

// Every request is made by joe.
func TestStamp(t *testing.T) {
	ignored := func(annotations ...string) (warnings []string) {
		for _, annotation := range annotations {
			warnings = append(warnings, "annotation credence.dev/"+annotation+" is written by Credence alone; the value that was given is ignored")
		}
		return warnings
	}
	const joes = `{"credence.dev/created-by":"joe","credence.dev/updated-by":"joe"}`
	cases := map[string]struct {
		old, object, want string
		warnings          []string
	}{
		"create":                     {"", document("", spec), document(joes, spec), nil},
		"create, null":               {"", document("null", spec), document(joes, spec), nil},
		"create, empty":              {"", document("{}", spec), document(joes, spec), nil},
		"create, others":             {"", document(`{"a/b":"c"}`, spec), document(`{"a/b":"c","credence.dev/created-by":"joe","credence.dev/updated-by":"joe"}`, spec), nil},
		"create, forged":             {"", document(janes, spec), document(joes, spec), ignored("created-by", "updated-by")},
		"create, rightly":            {"", document(joes, spec), document(joes, spec), nil},
		"create without metadata":    {"", `{"spec":{}}`, `{"metadata":{"annotations":` + joes + `},"spec":{}}`, nil},
		"create without spec":        {"", `{"metadata":{}}`, `{"metadata":{"annotations":` + joes + `}}`, nil},
		"change the spec":            {document(janes, spec), document(janes, renamed), document(janesJoes, renamed), nil},
		"change it and forge":        {document(janes, spec), document(`{"credence.dev/created-by":"x","credence.dev/updated-by":"x"}`, renamed), document(janesJoes, renamed), ignored("created-by", "updated-by")},
		"change it and claim it":     {document(janes, spec), document(janesJoes, renamed), document(janesJoes, renamed), nil},
		"replace without stamps":     {document(janes, spec), document("", renamed), document(janesJoes, renamed), nil},
		"forge":                      {document(janes, spec), document(joes, spec), document(janes, spec), ignored("created-by", "updated-by")},
		"remove":                     {document(janes, spec), document("{}", spec), document(janes, spec), nil},
		"remove all annotations":     {document(janes, spec), document("", spec), document(janes, spec), nil},
		"label only":                 {document(janes, spec), document(janes, spec), document(janes, spec), nil},
		"in another order":           {document(janes, spec), document(janes, `{"secretRef": {"name":"a"}, "scope":{"level":"project"},"type":"generic"}`), document(janes, spec), nil},
		"older than the stamps":      {document("", spec), document("", spec), document("", spec), nil},
		"older, forged":              {document("", spec), document(`{"credence.dev/created-by":"x"}`, spec), document("{}", spec), ignored("created-by")},
		"older, forged as nobody":    {document("", spec), document(`{"credence.dev/created-by":""}`, spec), document("{}", spec), ignored("created-by")},
		"older, changed":             {document("", spec), document("", renamed), document(`{"credence.dev/updated-by":"joe"}`, renamed), nil},
		"older, changed, forged":     {document("", spec), document(`{"credence.dev/created-by":"joe"}`, renamed), document(`{"credence.dev/updated-by":"joe"}`, renamed), ignored("created-by")},
		"numbers that mean the same": {document(janes, `{"a":1}`), document(janes, `{"a":1.0}`), document(janes, `{"a":1}`), nil},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			operations, warnings := own.Stamp(decode(t, test.old), decode(t, test.object), "joe")
			got, err := patch.Apply([]byte(test.object), operations)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(value(t, test.want), value(t, string(got))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.warnings, warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if again, warnings := own.Stamp(decode(t, test.old), decode(t, string(got)), "joe"); len(again)+len(warnings) > 0 {
				t.Errorf("stamped again: %v, %q", again, warnings)
			}
		})
	}
}

func value(t testing.TB, document string) (value any) {
	t.Helper()
	if err := json.Unmarshal([]byte(document), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestDeleting(t *testing.T) {
	for document, want := range map[string]bool{
		`{"metadata":{"name":"a"}}`:                                            false,
		`{"metadata":{"name":"a","deletionTimestamp":null}}`:                   false,
		`{"metadata":{"deletionTimestamp":"2026-06-30T00:00:00Z","name":"a"}}`: true,
		`{"metadata":null}`:                                                    false,
		`{}`:                                                                   false,
	} {
		if got := decode(t, document).Metadata.Deleting; got != want {
			t.Errorf("%s: got %t, want %t", document, got, want)
		}
	}
}

// FuzzStamp stamps anything. What results is the document but for the stamps, which
// are as they must be, and once is enough.
func FuzzStamp(f *testing.F) {
	for _, seed := range [][2]string{
		{"", document("", spec)}, {document(janes, spec), document("{}", renamed)}, {document("null", spec), document(janesJoes, spec)},
		{`{}`, `{"metadata":null}`}, {`{"metadata":{}}`, `{"spec":[1.0]}`}, {document(janes, `{"a":1e400}`), document(janes, `{"a":"\ud800"}`)},
	} {
		f.Add(seed[0], seed[1], "joe")
	}
	f.Fuzz(func(t *testing.T, oldDocument, document, user string) {
		if !utf8.ValidString(user) {
			return // a user comes in a review, which is JSON
		}
		var old *own.Object
		if oldDocument != "" {
			old = &own.Object{}
			if gojson.Unmarshal([]byte(oldDocument), old) != nil {
				return
			}
		}
		object := &own.Object{}
		if document == "null" || gojson.Unmarshal([]byte(document), object) != nil {
			return
		}
		operations, _ := own.Stamp(old, object, user)
		got, err := patch.Apply([]byte(document), operations)
		if err != nil {
			t.Fatalf("%v: %v", operations, err)
		}
		stamped := &own.Object{}
		if err := gojson.Unmarshal(got, stamped); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		annotations := stamped.Metadata.Annotations
		if created, is := annotations["credence.dev/created-by"]; old == nil && (!is || created != user) {
			t.Errorf("created by %q, want %q", created, user)
		} else if old != nil {
			if before, was := old.Metadata.Annotations["credence.dev/created-by"]; was != is || before != created {
				t.Errorf("created by %q, want %q", created, before)
			}
		}
		if again, _ := own.Stamp(old, stamped, user); len(again) > 0 {
			t.Errorf("stamped again: %v", again)
		}
		if diff := cmp.Diff(without(t, document), without(t, string(got))); diff != "" {
			t.Errorf("something else was changed (-before +after):\n%s", diff)
		}
	})
}

// without is a document without the stamps, nor what only holds them.
func without(t *testing.T, document string) any {
	whole := value(t, document)
	object, _ := whole.(map[string]any)
	metadata, _ := object["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	delete(annotations, "credence.dev/created-by")
	delete(annotations, "credence.dev/updated-by")
	if len(annotations) == 0 {
		delete(metadata, "annotations")
	}
	if len(metadata) == 0 {
		delete(object, "metadata")
	}
	return whole
}
