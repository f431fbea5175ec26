// SPDX-License-Identifier: Apache-2.0

package workload_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/workload"
)

const (
	credentials = "credence.dev/credentials"
	carried     = "credence.dev/carried"
	// ofA and ofB are digests of the values a and b.
	ofA, ofB = "=ca978112", "=3e23e816"
)

// annotations are those of an object and of its templates.
type annotations struct {
	Object    map[string]string
	Templates []map[string]string
}

type set = map[string]string

// TestCarry: what is carried, and what is not. Each is carried a second time, to the
// same.
func TestCarry(t *testing.T) {
	large := strings.Repeat("x", 250<<10)
	for name, test := range map[string]struct{ before, want annotations }{
		"nothing to carry": {
			annotations{set{"a/b": "c"}, []set{{"d/e": "f"}}},
			annotations{set{"a/b": "c"}, []set{{"d/e": "f"}}},
		},
		"new": {
			annotations{set{credentials: "a"}, []set{nil}},
			annotations{set{credentials: "a", carried: credentials + ofA}, []set{{credentials: "a"}}},
		},
		"to all templates": {
			annotations{set{credentials: "a"}, []set{{"x/y": "z"}, nil}},
			annotations{set{credentials: "a", carried: credentials + ofA}, []set{{"x/y": "z", credentials: "a"}, {credentials: "a"}}},
		},
		"changed": {
			annotations{set{credentials: "b", carried: credentials + ofA}, []set{{credentials: "a"}}},
			annotations{set{credentials: "b", carried: credentials + ofB}, []set{{credentials: "b"}}},
		},
		"gone": {
			annotations{set{carried: credentials + ofA}, []set{{credentials: "a"}}},
			annotations{set{}, []set{{}}},
		},
		"gone from template only": {
			annotations{set{credentials: "a", carried: credentials + ofA}, []set{{}}},
			annotations{set{credentials: "a", carried: credentials + ofA}, []set{{credentials: "a"}}},
		},
		"the template's own": {
			annotations{set{credentials: "a"}, []set{{credentials: "b"}}},
			annotations{set{credentials: "a"}, []set{{credentials: "b"}}},
		},
		"the template's own, the same": {
			annotations{set{credentials: "a"}, []set{{credentials: "a"}}},
			annotations{set{credentials: "a"}, []set{{credentials: "a"}}},
		},
		"edited in the template after it was carried": {
			annotations{set{credentials: "a", carried: credentials + ofA}, []set{{credentials: "mine"}}},
			annotations{set{credentials: "a"}, []set{{credentials: "mine"}}},
		},
		"edited in the template, and gone": {
			annotations{set{carried: credentials + ofA}, []set{{credentials: "mine"}}},
			annotations{set{}, []set{{credentials: "mine"}}},
		},
		"one of the templates has its own": {
			annotations{set{credentials: "b", carried: credentials + ofA}, []set{{credentials: "mine"}, {credentials: "a"}}},
			annotations{set{credentials: "b", carried: credentials + ofB}, []set{{credentials: "mine"}, {credentials: "b"}}},
		},
		"a template comes": {
			annotations{set{credentials: "a", carried: credentials + ofA}, []set{{credentials: "a"}, {}, {credentials: "b"}}},
			annotations{set{credentials: "a", carried: credentials + ofA}, []set{{credentials: "a"}, {credentials: "a"}, {credentials: "b"}}},
		},
		"no template": {
			annotations{set{credentials: "a"}, nil},
			annotations{set{credentials: "a"}, nil},
		},
		"listed without a digest": {
			annotations{set{credentials: "b", carried: credentials}, []set{{credentials: "a"}}},
			annotations{set{credentials: "b", carried: credentials + ofB}, []set{{credentials: "b"}}},
		},
		"a forged list": {
			annotations{set{carried: "x/y,credence.dev/injected,," + credentials + "=0"}, []set{{"x/y": "z", credentials: "a", "credence.dev/injected": "{}"}}},
			annotations{set{}, []set{{"x/y": "z", credentials: "a", "credence.dev/injected": "{}"}}},
		},
		"a list of nothing": {
			annotations{set{carried: "x/y,credence.dev/injected,"}, []set{{"x/y": "z"}}},
			annotations{set{carried: "x/y,credence.dev/injected,"}, []set{{"x/y": "z"}}},
		},
		"what we write ourselves": {
			annotations{set{"credence.dev/restarts": "{}", "credence.dev/restarted-for": "k"}, []set{{}}},
			annotations{set{"credence.dev/restarts": "{}", "credence.dev/restarted-for": "k"}, []set{{}}},
		},
		"more than the template may have": {
			annotations{set{credentials: strings.Repeat("a", 10<<10)}, []set{{"x/y": large}}},
			annotations{set{credentials: strings.Repeat("a", 10<<10)}, []set{{"x/y": large}}},
		},
		"more than the object may have": {
			annotations{set{credentials: strings.Repeat("a", 256<<10-len(credentials))}, []set{{}}},
			annotations{set{credentials: strings.Repeat("a", 256<<10-len(credentials))}, []set{{}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			document, templates := test.before.document(t, "")
			got := carry(t, document, templates)
			if diff := cmp.Diff(test.want, read(t, got, len(templates))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again := carry(t, got, templates); string(again) != string(got) {
				t.Errorf("carried again, it is\n%s, and was\n%s", again, got)
			}
			fits := workload.Fits(document, templates...)
			if want := !strings.HasPrefix(name, "more than"); fits != want {
				t.Errorf("fits: %t", fits)
			}
			wants := string(got) != string(document) || !fits
			if uncarried := workload.IsUncarried(test.before.Object, test.before.Templates...); uncarried != wants {
				t.Errorf("uncarried: %t", uncarried)
			}
			if workload.IsUncarried(test.want.Object, test.want.Templates...) && fits {
				t.Error("what was carried is uncarried")
			}
			owned, templates := test.before.document(t, `,"ownerReferences":[{"kind":"Deployment","name":"web","controller":true}]`)
			if operations, err := workload.Carry(owned, templates...); err != nil || len(operations) > 0 {
				t.Errorf("an object with a controller carries: %v, %v", operations, err)
			}
		})
	}
}

func (a annotations) document(t *testing.T, references string) ([]byte, []workload.Template) {
	t.Helper()
	var templates []workload.Template
	var list []string
	for i, template := range a.Templates {
		metadata := ""
		if template != nil {
			metadata = `"metadata":{"annotations":` + text(t, template) + `}`
		}
		list = append(list, `{`+metadata+`}`)
		templates = append(templates, workload.Template{Prefix: "/spec/" + string(rune('0'+i)), Carries: true})
	}
	return []byte(`{"metadata":{"annotations":` + text(t, a.Object) + references + `},"spec":[` + strings.Join(list, ",") + `]}`), templates
}

func text(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func carry(t *testing.T, document []byte, templates []workload.Template) []byte {
	t.Helper()
	operations, err := workload.Carry(document, templates...)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := patch.Apply(document, operations)
	if err != nil {
		t.Fatal(err)
	}
	return patched
}

func read(t *testing.T, document []byte, templates int) annotations {
	t.Helper()
	type metadata struct {
		Annotations set `json:"annotations"`
	}
	var object struct {
		Metadata metadata
		Spec     []struct{ Metadata metadata }
	}
	if err := json.Unmarshal(document, &object); err != nil {
		t.Fatal(err)
	}
	result := annotations{Object: object.Metadata.Annotations}
	for i := range templates {
		result.Templates = append(result.Templates, object.Spec[i].Metadata.Annotations)
	}
	return result
}

// TestUncarriedIsCheap: there are many workloads, and few ask for anything.
func TestUncarriedIsCheap(t *testing.T) {
	object, template := set{"deployment.kubernetes.io/revision": "1"}, set{credentials: "a"}
	if n := testing.AllocsPerRun(100, func() { workload.IsUncarried(object, template) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
