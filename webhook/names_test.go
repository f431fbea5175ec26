// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/webhook"
)

func TestNames(t *testing.T) {
	research := func(namespace, name string) *v1alpha1.Credential { return generic(namespace, name, "research") }
	cases := map[string]struct {
		known, unknown []client.Object      // what the catalog knows, and what only the API server does
		gone           *v1alpha1.Credential // what only the catalog still knows
		silent         bool                 // the API server does not answer
		old, object    *v1alpha1.Credential
		code           int32
		message        string
		warnings       []string
		reads          []string
	}{
		"free": {
			object: generic("team-a", "x", ""), reads: []string{"Credential research-home/x", "Credential credence-credentials/x"},
		},
		"under the cluster's": {
			known: []client.Object{generic(systemNamespace, "x", "")}, object: generic("team-a", "x", ""),
			code: http.StatusUnprocessableEntity, message: `the name "x" is taken: credential "x" of the cluster covers the same projects; choose another`,
			reads: []string{"Credential credence-credentials/x", "Credential research-home/x"},
		},
		"under one that was made a moment ago": {
			unknown: []client.Object{research("research-home", "x")}, object: generic("team-a", "x", ""),
			code: http.StatusUnprocessableEntity, message: `the name "x" is taken: credential "x" of department research covers the same projects; choose another`,
			reads: []string{"Credential research-home/x", "Credential credence-credentials/x"},
		},
		"under one that has just gone": {
			gone: generic(systemNamespace, "x", ""), object: generic("team-a", "x", ""),
			reads: []string{"Credential credence-credentials/x", "Credential research-home/x"},
		},
		"over a narrower one": {
			known: []client.Object{generic("team-a", "x", "")}, object: research("research-home", "x"),
			warnings: []string{`a narrower credential "x" is used instead of this one in namespace team-a`}, reads: []string{"Credential credence-credentials/x"},
		},
		"beside another of the same name elsewhere": {
			known: []client.Object{generic("team-c", "x", ""), generic("other", "x", "")}, object: generic("team-a", "x", ""),
			reads: []string{"Credential research-home/x", "Credential credence-credentials/x"},
		},
		"a display name that is taken": {
			known: []client.Object{shown(research(systemNamespace, "y"), "X")}, object: shown(generic("team-a", "x", ""), "X"),
			code: http.StatusUnprocessableEntity, message: `the display name "X" is taken: credential "y" of department research covers the same projects; choose another`,
			reads: []string{"Credential credence-credentials/y", "Credential research-home/x", "Credential credence-credentials/x"},
		},
		"a display name that was given up a moment ago": {
			unknown: []client.Object{shown(research(systemNamespace, "y"), "Y")}, gone: shown(research(systemNamespace, "y"), "X"), object: shown(generic("team-a", "x", ""), "X"),
			reads: []string{"Credential credence-credentials/y", "Credential research-home/x", "Credential credence-credentials/x"},
		},
		"a project that was made a moment ago": {
			known: []client.Object{generic(systemNamespace, "x", "")}, unknown: []client.Object{project("new", "")}, object: generic("new", "x", ""),
			code: http.StatusUnprocessableEntity, message: `the name "x" is taken: credential "x" of the cluster covers the same projects; choose another`,
			reads: []string{"Namespace /new", "Credential credence-credentials/x"},
		},
		"no project": {
			known: []client.Object{generic(systemNamespace, "x", "")}, object: generic("other", "x", ""), reads: []string{"Namespace /other"},
		},
		"a rename to what is taken": {
			known: []client.Object{shown(generic("team-a", "y", ""), "Y")}, old: generic("team-a", "x", ""), object: shown(generic("team-a", "x", ""), "Y"),
			code: http.StatusUnprocessableEntity, message: `the display name "Y" is taken: credential "y" of this namespace covers the same projects; choose another`,
			reads: []string{"Credential team-a/y"},
		},
		"a rename to what is free": {known: []client.Object{generic(systemNamespace, "x", "")}, old: generic("team-a", "x", ""), object: shown(generic("team-a", "x", ""), "Y")},
		"another change":           {known: []client.Object{generic(systemNamespace, "x", "")}, old: generic("other", "x", ""), object: described(generic("other", "x", ""))},
		"widened": {
			known: []client.Object{generic("team-c", "x", "")}, old: research(systemNamespace, "x"), object: generic(systemNamespace, "x", ""),
			warnings: []string{
				"a source made in advance must be labelled run.ai/cluster-wide=true now, and run.ai/department no more, or all copies of the credential are withdrawn",
				`a narrower credential "x" is used instead of this one in namespace team-c`,
			},
		},
		"the API server does not answer": {
			silent: true, unknown: []client.Object{generic(systemNamespace, "x", "")}, object: generic("team-a", "x", ""),
			reads: []string{"Credential research-home/x", "Credential credence-credentials/x"},
		},
		"the API server does not answer, but it is known": {
			silent: true, known: []client.Object{generic(systemNamespace, "x", "")}, object: generic("team-a", "x", ""),
			code: http.StatusUnprocessableEntity, message: `the name "x" is taken: credential "x" of the cluster covers the same projects; choose another`,
			reads: []string{"Credential credence-credentials/x", "Credential research-home/x"},
		},
		"the API server does not answer about the namespace": {
			silent: true, known: []client.Object{generic(systemNamespace, "x", "")}, object: generic("other", "x", ""), reads: []string{"Namespace /other"},
		},
	}
	for name, test := range cases {
		for _, kind := range allKinds {
			if kind != asset.Credential && test.object.Namespace == "other" {
				continue // that is a fault of an asset
			}
			t.Run(name+", "+string(kind), func(t *testing.T) {
				f := newFixture(t)
				f.know(namespace(systemNamespace, nil), namespace("other", nil), project("team-a", "research"), project("team-c", "sales"),
					namespace("research-home", map[string]string{v1alpha1.LabelDepartmentHome: "research"}))
				if test.gone != nil {
					f.know(like(kind, test.gone))
					f.cluster.remove(like(kind, test.gone))
				}
				f.know(alike(kind, test.known)...)
				f.cluster.create(alike(kind, test.unknown)...)
				if test.silent {
					f.cluster.before = func(context.Context, string) error { return errors.New("no answer") }
				}
				old := ""
				if test.old != nil {
					old = text(like(kind, test.old))
					f.know(like(kind, test.old))
				}
				got := f.post(t.Context(), webhook.PathNames, ownReview(test.object.Namespace, old, text(like(kind, test.object))))
				if got.response == nil || len(got.response.Patch) > 0 {
					t.Fatalf("answer: %s", got.body)
				}
				code := int32(0)
				if got.response.Result != nil {
					code = got.response.Result.Code
				}
				if message := in(kind, test.message); code != test.code || got.message() != message || got.response.Allowed != (code == 0) {
					t.Errorf("got %d %q, want %d %q", code, got.message(), test.code, message)
				}
				var warnings, reads []string
				for _, warning := range test.warnings {
					if kind == asset.Credential || !strings.Contains(warning, "source made in advance") {
						warnings = append(warnings, in(kind, warning))
					}
				}
				for _, read := range test.reads {
					reads = append(reads, strings.Replace(read, "Credential ", string(kind)+" ", 1))
				}
				if diff := cmp.Diff(warnings, got.response.Warnings); diff != "" {
					t.Errorf("warnings (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(reads, f.cluster.asked()); diff != "" {
					t.Errorf("reads (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// alike are assets of a kind like credentials, and other objects as they are.
func alike(kind asset.Kind, objects []client.Object) []client.Object {
	objects = slices.Clone(objects)
	for i := range objects {
		if c, ok := objects[i].(*v1alpha1.Credential); ok {
			objects[i] = like(kind, c)
		}
	}
	return objects
}

// in is a message about a credential as it is about an object of a kind.
func in(kind asset.Kind, message string) string {
	return strings.ReplaceAll(message, "credential ", kind.Word()+" ")
}

// described is the credential with another change than of a name.
func described(c *v1alpha1.Credential) *v1alpha1.Credential {
	c = c.DeepCopy()
	c.Spec.Description = "changed"
	return c
}

// A name that is taken is told as the API server tells of fields that are invalid,
// so that kubectl words it so, and a form can show it at its field.
func TestTakenNameIsAnInvalidField(t *testing.T) {
	f := newFixture(t)
	f.know(project("team-a", ""), generic(systemNamespace, "x", ""))
	got := f.post(t.Context(), webhook.PathNames, ownReview("team-a", "", text(generic("team-a", "x", ""))))
	want := &metav1.StatusDetails{Group: "credence.dev", Kind: "Credential", Name: "x", Causes: []metav1.StatusCause{{
		Type: metav1.CauseTypeFieldValueDuplicate, Field: "metadata.name",
		Message: `the name "x" is taken: credential "x" of the cluster covers the same projects; choose another`,
	}}}
	if diff := cmp.Diff(want, got.response.Result.Details); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
	if lines := f.log.lines(t); len(lines) != 1 || lines[0]["field"] != "metadata.name" || lines[0]["msg"] != "refused" {
		t.Errorf("log: %v", lines)
	}
}
