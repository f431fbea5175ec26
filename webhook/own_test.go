// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/webhook"
)

// ownReview is a request of joe's about an object of ours, a Credential if it does not
// say what it is: its creation if old is empty.
func ownReview(namespace, old, object string, change ...func(*admissionv1.AdmissionRequest)) []byte {
	var of metav1.TypeMeta
	if json.Unmarshal([]byte(object), &of) != nil || of.Kind == "" {
		of.Kind = "Credential"
	}
	review := review(namespace, []byte(object))
	request := review.Request
	request.Kind = metav1.GroupVersionKind{Group: "credence.dev", Version: "v1alpha1", Kind: of.Kind}
	request.Resource = metav1.GroupVersionResource{Group: "credence.dev", Version: "v1alpha1", Resource: strings.ToLower(of.Kind) + "s"}
	request.RequestKind, request.RequestResource = &request.Kind, &request.Resource
	request.UserInfo = authenticationv1.UserInfo{Username: "joe"}
	if old != "" {
		request.Operation, request.OldObject = admissionv1.Update, runtime.RawExtension{Raw: []byte(old)}
	}
	for _, change := range change {
		change(request)
	}
	return marshal(review)
}

// text is an object of ours as the API server writes it.
func text(object client.Object) string {
	object = object.DeepCopyObject().(client.Object)
	kind := reflect.TypeOf(object).Elem().Name()
	object.GetObjectKind().SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	return string(marshal(object))
}

// like is an asset of a kind with the names and the scope of a credential; the
// credential itself for the kind of those.
func like(kind asset.Kind, c *v1alpha1.Credential) client.Object {
	head := v1alpha1.AssetHead{DisplayName: c.Spec.DisplayName, Description: c.Spec.Description, Scope: c.Spec.Scope}
	meta := *c.ObjectMeta.DeepCopy()
	switch kind {
	case asset.Environment:
		return &v1alpha1.Environment{ObjectMeta: meta, Spec: v1alpha1.EnvironmentSpec{AssetHead: head}}
	case asset.DataSource:
		return &v1alpha1.DataSource{ObjectMeta: meta, Spec: v1alpha1.DataSourceSpec{AssetHead: head, S3: &v1alpha1.S3Source{Bucket: "b", Path: "/b"}}}
	case asset.WorkloadTemplate:
		return &v1alpha1.WorkloadTemplate{ObjectMeta: meta, Spec: v1alpha1.WorkloadTemplateSpec{AssetHead: head}}
	}
	return c
}

// allKinds are the kinds of objects whose names and authors are looked after.
var allKinds = append([]asset.Kind{asset.Credential}, asset.Kinds...)

// shown is the credential with a display name.
func shown(c *v1alpha1.Credential, as string) *v1alpha1.Credential {
	c = c.DeepCopy()
	c.Spec.DisplayName = as
	return c
}

func annotated(c *v1alpha1.Credential, annotations map[string]string) *v1alpha1.Credential {
	c = c.DeepCopy()
	c.Annotations = annotations
	return c
}

func dryRun(request *admissionv1.AdmissionRequest) { request.DryRun = ptr(true) }

func TestStamps(t *testing.T) {
	c, janes := generic("team-a", "openai", ""), map[string]string{v1alpha1.AnnotationCreatedBy: "jane", v1alpha1.AnnotationUpdatedBy: "jane"}
	joes := map[string]string{v1alpha1.AnnotationCreatedBy: "joe", v1alpha1.AnnotationUpdatedBy: "joe"}
	deleted := annotated(c, janes)
	deleted.DeletionTimestamp = ptr(metav1.Now())
	ignored := []string{
		"annotation credence.dev/created-by is written by Credence alone; the value that was given is ignored",
		"annotation credence.dev/updated-by is written by Credence alone; the value that was given is ignored",
	}
	cases := map[string]struct {
		old, object *v1alpha1.Credential
		want        map[string]string
		warnings    []string
		log         string
	}{
		"create":            {nil, c, joes, nil, "stamped"},
		"create, forged":    {nil, annotated(c, janes), joes, ignored, "stamped"},
		"change":            {annotated(c, janes), shown(annotated(c, joes), "A"), map[string]string{v1alpha1.AnnotationCreatedBy: "jane", v1alpha1.AnnotationUpdatedBy: "joe"}, ignored[:1], "stamped"},
		"forge":             {annotated(c, janes), annotated(c, joes), janes, ignored, "stamped"},
		"touch":             {annotated(c, janes), annotated(c, janes), janes, nil, "admitted unchanged"},
		"while it is going": {deleted, c, nil, nil, "admitted unchanged"},
	}
	for name, test := range cases {
		for mode, change := range map[string]func(*admissionv1.AdmissionRequest){
			"": func(*admissionv1.AdmissionRequest) {}, ", dry run (23)": dryRun,
			", Environment": nil, ", DataSource": nil, ", WorkloadTemplate": nil,
		} {
			t.Run(name+mode, func(t *testing.T) {
				f, old, kind, key := newFixture(t), "", asset.Credential, "credential"
				if change == nil {
					kind = asset.Kind(strings.TrimPrefix(mode, ", "))
					key, change = strings.ReplaceAll(kind.Word(), " ", ""), func(*admissionv1.AdmissionRequest) {}
				}
				if test.old != nil {
					old = text(like(kind, test.old))
				}
				document := text(like(kind, test.object))
				got := f.post(t.Context(), webhook.PathStamp, ownReview("team-a", old, document, change))
				if got.response == nil || !got.response.Allowed {
					t.Fatalf("refused: %s", got.body)
				}
				if diff := cmp.Diff(annotated(test.object, test.want).Annotations, patched(t, document, got.response.Patch).Annotations); diff != "" {
					t.Errorf("annotations (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(test.warnings, got.response.Warnings); diff != "" {
					t.Errorf("warnings (-want +got):\n%s", diff)
				}
				lines := f.log.lines(t)
				if len(lines) != 1 || lines[0]["msg"] != test.log || lines[0][key] != "openai" || lines[0]["entry"] != "stamp" {
					t.Errorf("log: %v", lines)
				}
				if strings.Contains(f.log.String(), "joe") {
					t.Errorf("the log tells who it was: %s", f.log)
				}
			})
		}
	}
}

func patched(t *testing.T, document string, operations []byte) *metav1.PartialObjectMetadata {
	t.Helper()
	if len(operations) > 0 {
		patch, err := jsonpatch.DecodePatch(operations)
		if err != nil {
			t.Fatal(err)
		}
		changed, err := patch.Apply([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		document = string(changed)
	}
	object := &metav1.PartialObjectMetadata{}
	if err := json.Unmarshal([]byte(document), object); err != nil {
		t.Fatal(err)
	}
	return object
}

// What is not for these entries is admitted, with a warning: to refuse it could keep
// objects from going.
func TestOtherOwnRequests(t *testing.T) {
	c := text(generic("team-a", "openai", ""))
	for name, change := range map[string]func(*admissionv1.AdmissionRequest){
		"delete":       func(r *admissionv1.AdmissionRequest) { r.Operation, r.Object.Raw = admissionv1.Delete, nil },
		"status":       func(r *admissionv1.AdmissionRequest) { r.SubResource = "status" },
		"another kind": func(r *admissionv1.AdmissionRequest) { r.Resource.Resource = "others" },
		"a pod": func(r *admissionv1.AdmissionRequest) {
			r.Resource, r.Object.Raw = metav1.GroupVersionResource{Version: "v1", Resource: "pods"}, []byte(naming("openai"))
		},
	} {
		for _, path := range []string{webhook.PathStamp, webhook.PathNames} {
			t.Run(name, func(t *testing.T) {
				got := newFixture(t).post(t.Context(), path, ownReview("team-a", c, c, change))
				if got.response == nil || !got.response.Allowed || len(got.response.Patch) > 0 || len(got.response.Warnings) != 1 ||
					!strings.HasSuffix(got.response.Warnings[0], "correct the webhook configuration") {
					t.Errorf("%s: %s", path, got.body)
				}
			})
		}
	}
}

func TestMalformedOwnRequests(t *testing.T) {
	c := text(generic("team-a", "openai", ""))
	for name, test := range map[string]struct {
		body []byte
		want string
	}{
		"an annotation without quotes": {ownReview("team-a", "", `{"metadata":{"annotations":{"credence.dev/created-by":true}}}`),
			"annotation credence.dev/created-by: the value must be a string, not a JSON boolean; put it in quotes"},
		"no object":     {ownReview("team-a", "", "null"), "the review lacks an object"},
		"no old object": {ownReview("team-a", "null", c), "the review lacks an object"},
		"no review":     {[]byte(`{}`), "the body is not an AdmissionReview of admission.k8s.io/v1 with a request"},
	} {
		for _, path := range []string{webhook.PathStamp, webhook.PathNames} {
			t.Run(name, func(t *testing.T) {
				if got := newFixture(t).post(t.Context(), path, test.body); got.message() != test.want {
					t.Errorf("%s: got %q, want %q", path, got.message(), test.want)
				}
			})
		}
	}
}
