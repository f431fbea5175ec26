// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/webhook"
)

// bucketOf is a data source of team-a that is fetched with a credential.
func bucketOf(credential string) *v1alpha1.DataSource {
	source := like(asset.DataSource, generic("team-a", "data", "")).(*v1alpha1.DataSource)
	source.Spec.S3.Credential = v1alpha1.AssetName(credential)
	return source
}

func templateOf(change func(*v1alpha1.WorkloadTemplateSpec)) client.Object {
	template := like(asset.WorkloadTemplate, generic("team-a", "training", "")).(*v1alpha1.WorkloadTemplate)
	change(&template.Spec)
	return template
}

// ofType is the credential with another type.
func ofType(of v1alpha1.CredentialType, c *v1alpha1.Credential) *v1alpha1.Credential {
	c = c.DeepCopy()
	c.Spec.Type = of
	return c
}

func TestAssetsAreChecked(t *testing.T) {
	const wrongType = `spec.s3.credential: credential "hub" has type password; a bucket takes one of type access-key`
	password, accessKey := ofType(v1alpha1.Password, generic(systemNamespace, "hub", "")), ofType(v1alpha1.AccessKey, generic(systemNamespace, "hub", ""))
	twoPaths := templateOf(func(spec *v1alpha1.WorkloadTemplateSpec) {
		spec.Mounts = []v1alpha1.CredentialMount{{Credential: "hub", MountPath: "/a"}, {Credential: "hub", MountPath: "/a/b"}}
	})
	const lieInOneAnother = `spec.mounts[1].mountPath: path /a of credential "hub" and path /a/b of credential "hub" lie in one another`
	described := bucketOf("hub")
	described.Spec.Description = "changed"
	cases := map[string]struct {
		known, unknown []client.Object // what the catalog knows, and what only the API server does
		gone           client.Object   // what only the catalog still knows
		silent         bool            // the API server does not answer
		old, object    client.Object
		refused        string
		warnings       []string
		reads          string // of other things than of names
	}{
		"what it needs is there":                {known: []client.Object{accessKey}, object: bucketOf("hub")},
		"it needs nothing":                      {object: bucketOf("")},
		"the wrong type":                        {known: []client.Object{password}, object: bucketOf("hub"), refused: wrongType, reads: "Credential credence-credentials/hub"},
		"the wrong type, changed to":            {known: []client.Object{password}, old: bucketOf(""), object: bucketOf("hub"), refused: wrongType, reads: "Credential credence-credentials/hub"},
		"the wrong type, no answer":             {known: []client.Object{password}, silent: true, object: bucketOf("hub"), refused: wrongType, reads: "Credential credence-credentials/hub"},
		"the wrong type, a moment ago":          {known: []client.Object{password}, unknown: []client.Object{accessKey}, object: bucketOf("hub"), reads: "Credential credence-credentials/hub"},
		"the wrong type, made a moment ago":     {unknown: []client.Object{password}, object: bucketOf("hub"), refused: wrongType, reads: "Credential team-a/hub, Credential credence-credentials/hub"},
		"the wrong type, as before":             {known: []client.Object{password}, old: bucketOf("hub"), object: described},
		"the wrong type, and another new fault": {known: []client.Object{password, ofType(v1alpha1.Password, generic(systemNamespace, "hub-2", ""))}, old: bucketOf("hub"), object: bucketOf("hub-2"), refused: strings.Replace(wrongType, "hub", "hub-2", 1), reads: "Credential credence-credentials/hub-2"},
		"the wrong type, gone a moment ago": {gone: password, object: bucketOf("hub"), reads: "Credential credence-credentials/hub",
			warnings: []string{`spec.s3.credential: there is no credential "hub" in namespace team-a`}},
		"it does not exist yet": {object: bucketOf("hub"), reads: "Credential team-a/hub, Credential credence-credentials/hub",
			warnings: []string{`spec.s3.credential: there is no credential "hub" in namespace team-a`}},
		"it exists since a moment":                       {unknown: []client.Object{accessKey}, object: bucketOf("hub"), reads: "Credential team-a/hub, Credential credence-credentials/hub"},
		"it cannot be looked up now":                     {silent: true, object: bucketOf("hub"), reads: "Credential team-a/hub", warnings: []string{`spec.s3.credential: there is no credential "hub" in namespace team-a`}},
		"it is misspelt":                                 {known: []client.Object{accessKey, generic(systemNamespace, "openai", "")}, object: bucketOf("openia"), reads: "Credential team-a/openia, Credential credence-credentials/openia", warnings: []string{`spec.s3.credential: there is no credential "openia" in namespace team-a; did you mean "openai"?`}},
		"it is being prepared":                           {known: []client.Object{behind(accessKey)}, object: bucketOf("hub"), warnings: []string{`spec.s3.credential: credential "hub" is still being prepared`}},
		"paths in one another":                           {known: []client.Object{accessKey}, object: twoPaths, refused: lieInOneAnother, reads: "Credential credence-credentials/hub"},
		"paths in one another, of what is not there yet": {object: twoPaths, refused: lieInOneAnother, reads: "Credential team-a/hub, Credential credence-credentials/hub"},
		"an environment that exists since a moment": {
			unknown: []client.Object{like(asset.Environment, generic(systemNamespace, "torch", ""))},
			object:  templateOf(func(spec *v1alpha1.WorkloadTemplateSpec) { spec.Environment = "torch" }),
			reads:   "Environment team-a/torch, Environment credence-credentials/torch",
		},
		"an environment that does not exist yet": {
			object:   templateOf(func(spec *v1alpha1.WorkloadTemplateSpec) { spec.Environment = "torch" }),
			reads:    "Environment team-a/torch, Environment credence-credentials/torch",
			warnings: []string{`spec.environment: there is no environment "torch" in namespace team-a`},
		},
		"one name of two kinds, one of which exists since a moment": {
			unknown: []client.Object{generic(systemNamespace, "torch", "")},
			object: templateOf(func(spec *v1alpha1.WorkloadTemplateSpec) {
				spec.DataSources, spec.Credentials = []v1alpha1.AssetName{"torch"}, []v1alpha1.AssetName{"torch"}
			}),
			reads:    "DataSource team-a/torch, DataSource credence-credentials/torch, Credential team-a/torch, Credential credence-credentials/torch",
			warnings: []string{`spec.dataSources[0]: there is no data source "torch" in namespace team-a`},
		},
		"no project": {object: like(asset.Environment, generic("other", "x", "")), reads: "Namespace /other",
			warnings: []string{"metadata.namespace: namespace other is not a project, not a department's home and not the system namespace; label it credence.dev/project=<name>, or create the environment elsewhere"}},
		"a project since a moment": {unknown: []client.Object{project("new", "")}, object: like(asset.Environment, generic("new", "x", "")), reads: "Namespace /new"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.know(namespace(systemNamespace, nil), namespace("other", nil), project("team-a", "research"), project("team-c", "sales"))
			if test.gone != nil {
				f.know(test.gone)
				f.cluster.remove(test.gone)
			}
			f.know(test.known...)
			f.cluster.create(test.unknown...)
			if test.silent {
				f.cluster.before = func(context.Context, string) error { return errors.New("no answer") }
			}
			old := ""
			if test.old != nil {
				old = text(test.old)
			}
			got := f.post(t.Context(), webhook.PathNames, ownReview(test.object.GetNamespace(), old, text(test.object)))
			if got.response == nil || got.response.Allowed != (test.refused == "") || got.message() != test.refused {
				t.Errorf("got %s, want %q", got.body, test.refused)
			}
			if !got.response.Allowed {
				field, problem, _ := strings.Cut(test.refused, ": ")
				want := &metav1.StatusDetails{
					Group: "credence.dev", Kind: strings.Split(describe(test.object, client.ObjectKeyFromObject(test.object)), " ")[0], Name: test.object.GetName(),
					Causes: []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueInvalid, Field: field, Message: problem}},
				}
				if diff := cmp.Diff(want, got.response.Result.Details); diff != "" || got.response.Result.Code != http.StatusUnprocessableEntity {
					t.Errorf("code %d, details (-want +got):\n%s", got.response.Result.Code, diff)
				}
			}
			if diff := cmp.Diff(test.warnings, got.response.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			var reads []string
			for _, read := range f.cluster.asked() {
				if !strings.HasSuffix(read, "/"+test.object.GetName()) {
					reads = append(reads, read)
				}
			}
			if diff := cmp.Diff(test.reads, strings.Join(reads, ", ")); diff != "" {
				t.Errorf("reads (-want +got):\n%s", diff)
			}
		})
	}
}

// One asset with many names that mean nothing costs a few reads and a few warnings.
func TestManyMissingNamesCostFewReads(t *testing.T) {
	f := newFixture(t)
	f.know(namespace(systemNamespace, nil), project("team-a", ""))
	environment := like(asset.Environment, generic("team-a", "torch", "")).(*v1alpha1.Environment)
	for i := range 64 {
		environment.Spec.Credentials = append(environment.Spec.Credentials, v1alpha1.AssetName(fmt.Sprintf("missing-%d", i)))
	}
	for range 2 {
		got := f.post(t.Context(), webhook.PathNames, ownReview("team-a", text(environment), text(environment)))
		if got.response == nil || !got.response.Allowed || len(got.response.Warnings) > 0 {
			t.Errorf("what is not new is told again: %s", got.body)
		}
		got = f.post(t.Context(), webhook.PathNames, ownReview("team-a", "", text(environment)))
		if got.response == nil || !got.response.Allowed || len(got.response.Warnings) != 5 {
			t.Errorf("want 5 warnings: %s", got.body)
		}
		if reads := len(f.cluster.asked()); reads > 20 {
			t.Errorf("%d reads", reads)
		}
	}
}

// What cannot be read as an asset is refused as that; what is being deleted is not
// looked at.
func TestUnreadableAssets(t *testing.T) {
	f := newFixture(t)
	f.know(project("team-a", ""))
	const document = `{"kind":"Environment","metadata":{"name":"x","namespace":"team-a"},"spec":{"scope":{"level":"project"},"env":"not-a-secret"}}`
	got := f.post(t.Context(), webhook.PathNames, ownReview("team-a", "", document))
	if want := "/spec/env must be a list, not a JSON string"; got.message() != want || got.response.Result.Code != http.StatusBadRequest {
		t.Errorf("got %s, want %q", got.body, want)
	}
	deleted := strings.Replace(document, `"name":"x"`, `"name":"x","deletionTimestamp":"2026-01-01T00:00:00Z"`, 1)
	for _, path := range []string{webhook.PathNames, webhook.PathStamp} {
		got = f.post(t.Context(), path, ownReview("team-a", deleted, document, func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update }))
		if got.response == nil || !got.response.Allowed {
			t.Errorf("keeps what is being deleted from going: %s", got.body)
		}
	}
}
