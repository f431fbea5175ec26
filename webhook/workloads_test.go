// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/webhook"
)

// workloadReview is a request about a workload in team-a: its creation if old is
// empty.
func workloadReview(apiVersion, kind, old, object string, change ...func(*admissionv1.AdmissionRequest)) []byte {
	review := review("team-a", []byte(object))
	request := review.Request
	gv, _ := schema.ParseGroupVersion(apiVersion)
	known, _ := workload.KindOf(apiVersion, kind)
	request.Kind = metav1.GroupVersionKind{Group: gv.Group, Version: gv.Version, Kind: kind}
	request.Resource = metav1.GroupVersionResource{Group: gv.Group, Version: gv.Version, Resource: known.Resource}
	if old != "" {
		request.Operation, request.OldObject = admissionv1.Update, runtime.RawExtension{Raw: []byte(old)}
	}
	for _, change := range change {
		change(request)
	}
	return marshal(review)
}

const (
	asksOpenAI  = `"credence.dev/credentials":"openai"`
	asksNobody  = `"credence.dev/credentials":"nobody"`
	listsOpenAI = `"credence.dev/carried":"credence.dev/credentials=7d3194f7"`
	podSpec     = `"spec":{"containers":[{"name":"main","image":"registry.example.com/main"}]}`
	byAnother   = `,"ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"web","uid":"u","controller":true}]`
	going       = `,"deletionTimestamp":"2026-06-30T00:00:00Z"`
)

// inSpec is a workload with one template: annotations of both, and more metadata.
func inSpec(onObject, onTemplate string, more ...string) string {
	return `{"metadata":{"name":"web","creationTimestamp":"2026-06-01T00:00:00Z","annotations":{` + onObject + `}` + strings.Join(more, "") +
		`},"spec":{"template":{"metadata":{"annotations":{` + onTemplate + `}},` + podSpec + `}}}`
}

// TestCarry: what becomes of a workload.
func TestCarry(t *testing.T) {
	nobody := `pods will be refused: annotation credence.dev/credentials: there is no credential "nobody" in namespace team-a`
	late := "annotations of a Job are carried to its pods when it is created, and not after; create it anew"
	frozen := `annotations are not carried to the template of revision "web-1", which must not change under that name; give it another name, or none`
	named := func(name, annotations string) string {
		return strings.Replace(inSpec(annotations, ""), `"template":{"metadata":{`, `"template":{"metadata":{"name":"`+name+`",`, 1)
	}
	for name, test := range map[string]struct {
		apiVersion, kind, old, object string
		want                          string // empty: as it is
		warnings                      []string
	}{
		"a Deployment": {apiVersion: "apps/v1", kind: "Deployment", object: inSpec(asksOpenAI, ""), want: inSpec(asksOpenAI+","+listsOpenAI, asksOpenAI)},
		"annotated later": {
			apiVersion: "apps/v1", kind: "StatefulSet", old: inSpec("", ""), object: inSpec(asksOpenAI, ""), want: inSpec(asksOpenAI+","+listsOpenAI, asksOpenAI),
		},
		"detached": {
			apiVersion: "apps/v1", kind: "DaemonSet", old: inSpec(asksOpenAI+","+listsOpenAI, asksOpenAI), object: inSpec(listsOpenAI, asksOpenAI), want: inSpec("", ""),
		},
		"nothing to do":              {apiVersion: "apps/v1", kind: "Deployment", old: inSpec("", ""), object: inSpec(asksOpenAI+","+listsOpenAI, asksOpenAI)},
		"the template wins":          {apiVersion: "apps/v1", kind: "Deployment", object: inSpec(asksNobody, asksOpenAI)},
		"of a controller":            {apiVersion: "apps/v1", kind: "ReplicaSet", object: inSpec(asksOpenAI, "", byAnother)},
		"of nobody":                  {apiVersion: "apps/v1", kind: "ReplicaSet", object: inSpec(asksOpenAI, ""), want: inSpec(asksOpenAI+","+listsOpenAI, asksOpenAI)},
		"being deleted":              {apiVersion: "apps/v1", kind: "Deployment", old: inSpec(asksOpenAI, "", going), object: inSpec(asksOpenAI, "", going)},
		"a new Job":                  {apiVersion: "batch/v1", kind: "Job", object: inSpec(asksOpenAI, ""), want: inSpec(asksOpenAI+","+listsOpenAI, asksOpenAI)},
		"a Job annotated later":      {apiVersion: "batch/v1", kind: "Job", old: inSpec("", ""), object: inSpec(asksOpenAI, ""), warnings: []string{late}},
		"a Job that has it":          {apiVersion: "batch/v1", kind: "Job", old: inSpec("", ""), object: inSpec(asksOpenAI+","+listsOpenAI, asksOpenAI)},
		"a name that means nothing":  {apiVersion: "apps/v1", kind: "Deployment", object: inSpec(asksNobody, ""), want: inSpec(asksNobody+`,"credence.dev/carried":"credence.dev/credentials=6382b3cc"`, asksNobody), warnings: []string{nobody}},
		"the same in the template":   {apiVersion: "apps/v1", kind: "Deployment", object: inSpec("", asksNobody), warnings: []string{nobody}},
		"a template of no pod":       {apiVersion: "apps/v1", kind: "Deployment", object: `{"metadata":{"annotations":{` + asksOpenAI + `}},"spec":{"template":[]}}`, warnings: []string{"annotations are not carried to the pod template: not a pod template: it must be an object, not a JSON array"}},
		"a workload of nothing":      {apiVersion: "apps/v1", kind: "Deployment", object: `{"metadata":{"annotations":{` + asksOpenAI + `}},"spec":[]}`, warnings: []string{"annotations are not carried to the pod template: not a workload: it must be an object, not a JSON array"}},
		"annotations of numbers":     {apiVersion: "apps/v1", kind: "Deployment", object: `{"metadata":{"annotations":{"credence.dev/credentials":1}},"spec":{"template":{}}}`, warnings: []string{"annotations are not carried to the pod template: annotation credence.dev/credentials: the value must be a string, not a JSON number; put it in quotes"}},
		"metadata that is none":      {apiVersion: "apps/v1", kind: "Deployment", object: `{"metadata":[]}`, warnings: []string{"annotations are not carried to the pod template: it cannot be read"}},
		"a new Knative Service":      {apiVersion: "serving.knative.dev/v1", kind: "Service", object: named("web-1", asksOpenAI), want: strings.Replace(named("web-1", asksOpenAI+","+listsOpenAI), `"annotations":{}`, `"annotations":{`+asksOpenAI+`}`, 1)},
		"a revision keeps its name":  {apiVersion: "serving.knative.dev/v1", kind: "Service", old: named("web-1", ""), object: named("web-1", asksOpenAI), warnings: []string{frozen}},
		"a revision gets a new name": {apiVersion: "serving.knative.dev/v1", kind: "Service", old: named("web-1", ""), object: named("web-2", asksOpenAI), want: strings.Replace(named("web-2", asksOpenAI+","+listsOpenAI), `"annotations":{}`, `"annotations":{`+asksOpenAI+`}`, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.know(project("team-a", ""), generic("team-a", "openai", ""))
			answer := f.post(t.Context(), webhook.PathCarry, workloadReview(test.apiVersion, test.kind, test.old, test.object))
			if answer.response == nil || !answer.response.Allowed {
				t.Fatalf("refused: %s", answer.body)
			}
			if test.want == "" {
				test.want = test.object
			}
			if diff := cmp.Diff(decoded(t, []byte(test.want)), changed(t, test.object, answer.response.Patch)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.warnings, answer.response.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			if reads := f.cluster.asked(); len(reads) > 0 {
				t.Errorf("the API server is asked: %v", reads)
			}
		})
	}
}

func changed(t *testing.T, document string, patch []byte) any {
	t.Helper()
	if len(patch) == 0 {
		return decoded(t, []byte(document))
	}
	operations, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		t.Fatal(err)
	}
	got, err := operations.Apply([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, got)
}

func decoded(t *testing.T, document []byte) (value any) {
	t.Helper()
	if err := json.Unmarshal(document, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// TestCarryCustomKind: kinds of WorkloadKinds are known while they are.
func TestCarryCustomKind(t *testing.T) {
	f := newFixture(t)
	f.know(project("team-a", ""), generic("team-a", "openai", ""))
	review := workloadReview("example.com/v1", "Gizmo", "", inSpec(asksOpenAI, ""))
	says := func(want string) {
		t.Helper()
		answer := f.post(t.Context(), webhook.PathCarry, review)
		got := ""
		if len(answer.response.Patch) > 0 {
			got = "carried"
		}
		if got != want || !answer.response.Allowed {
			t.Errorf("got %q, %v", got, answer.response)
		}
	}
	path, err := workload.ParsePath(".spec.template")
	if err != nil {
		t.Fatal(err)
	}
	gizmo := workload.Kind{Group: "example.com", Versions: []string{"v1"}, Kind: "Gizmo", Carries: true, Paths: []workload.Path{path}}
	elsewhere := gizmo
	elsewhere.Paths = nil
	now := time.Now()
	says("")
	f.kinds.Set(workload.Claim{Name: "gizmo", Created: now, Kind: gizmo})
	says("carried")
	f.kinds.Set(workload.Claim{Name: "later", Created: now.Add(time.Second), Kind: elsewhere})
	says("carried") // the older counts
	f.kinds.Remove("gizmo")
	f.kinds.Remove("later")
	says("")
}

// TestTemplatePullSecrets: the templates of Knative Services get registry logins,
// where they change.
func TestTemplatePullSecrets(t *testing.T) {
	const hub = `"imagePullSecrets":[{"name":"dockerregistry-hub"}]`
	record := `"credence.dev/injected":"{\"hub\":[\"imagePullSecrets (automatic)\"]}"`
	with := func(object string) string {
		return strings.Replace(object, `"spec":{"containers"`, `"spec":{`+hub+`,"containers"`, 1)
	}
	of := func(object, image string) string {
		return strings.Replace(object, "registry.example.com/main", image+".example.com/main", 1)
	}
	called := func(object string) string {
		return strings.Replace(object, `"template":{"metadata":{`, `"template":{"metadata":{"name":"web-1",`, 1)
	}
	full := `"a/b":"` + strings.Repeat("x", 256<<10-len("a/b")) + `"`
	price := "imagePullSecrets in a pod template keep the API server from adding those of the service account"
	takenName := `registry login "taken" is not used: another Secret in namespace team-a has its name dockerregistry-taken`
	for name, test := range map[string]struct {
		kind, old, object, want string
		warnings                []string
	}{
		"new":                       {"Service", "", inSpec("", ""), with(inSpec("", record)), []string{price}},
		"new, annotated":            {"Service", "", inSpec(asksOpenAI, ""), with(inSpec(asksOpenAI+","+listsOpenAI, asksOpenAI+","+record)), []string{price}},
		"the template stays":        {"Service", inSpec("", ""), inSpec(`"a/b":"c"`, ""), inSpec(`"a/b":"c"`, ""), nil},
		"the template changes":      {"Service", inSpec("", ""), inSpec("", `"a/b":"c"`), with(inSpec("", `"a/b":"c",`+record)), []string{price}},
		"it has them":               {"Service", "", with(inSpec("", record)), with(inSpec("", record)), nil},
		"nothing is injected":       {"Service", "", inSpec("", `"credence.dev/inject":"false"`), inSpec("", `"credence.dev/inject":"false"`), nil},
		"another's Secret":          {"Service", "", of(inSpec("", ""), "taken"), of(inSpec("", ""), "taken"), []string{takenName}},
		"no room for the record":    {"Service", "", inSpec("", full), with(inSpec("", full)), []string{price}},
		"a revision keeps its name": {"Service", called(inSpec("", "")), called(inSpec("", `"a/b":"c"`)), called(inSpec("", `"a/b":"c"`)), nil},
		"a kind without revisions":  {"Deployment", "", inSpec("", ""), inSpec("", ""), nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			taken := registry("taken", "taken.example.com")
			taken.Status.TakenNamespaces = []string{"team-a"}
			f.know(project("team-a", ""), generic("team-a", "openai", ""), registry("hub", "registry.example.com"), taken)
			apiVersion := "serving.knative.dev/v1"
			if test.kind == "Deployment" {
				apiVersion = "apps/v1"
			}
			answer := f.post(t.Context(), webhook.PathTemplatePullSecrets, workloadReview(apiVersion, test.kind, test.old, test.object))
			if diff := cmp.Diff(decoded(t, []byte(test.want)), changed(t, test.object, answer.response.Patch)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.warnings, answer.response.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTemplatePullSecretsOfFetchers: what fetches data sources comes from the registry
// that the settings name, and its login is wanted, too.
func TestTemplatePullSecretsOfFetchers(t *testing.T) {
	f := newFixture(t, func(o *webhook.Options) {
		settings := fetch.Default()
		settings.GitImage = "mirror.example.com/git-sync:v4"
		o.Fetch = &settings
	})
	f.know(project("team-a", ""), registry("mirror", "mirror.example.com"), &v1alpha1.DataSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "code"},
		Spec: v1alpha1.DataSourceSpec{AssetHead: v1alpha1.AssetHead{Scope: v1alpha1.Scope{Level: v1alpha1.ScopeProject}},
			Git: &v1alpha1.GitSource{Repository: "https://git.example.com/code", Path: "/code"}},
	})
	object := inSpec("", `"credence.dev/data-sources":"code"`)
	answer := f.post(t.Context(), webhook.PathCarry, workloadReview("serving.knative.dev/v1", "Service", "", object))
	if !strings.Contains(string(answer.response.Patch), "dockerregistry-mirror") {
		t.Errorf("the patch is %s", answer.response.Patch)
	}
}

// TestCarryWhatIsNotForIt: reviews of anything else are admitted, and said to be
// a mistake of the configuration.
func TestCarryWhatIsNotForIt(t *testing.T) {
	f := newFixture(t)
	for name, review := range map[string][]byte{
		"another kind":      workloadReview("example.com/v1", "Gizmo", "", inSpec(asksOpenAI, "")),
		"a pod":             workloadReview("v1", "Pod", "", inSpec(asksOpenAI, "")),
		"a deletion":        workloadReview("apps/v1", "Deployment", "", inSpec(asksOpenAI, ""), func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Delete }),
		"a scale":           workloadReview("apps/v1", "Deployment", "", `{}`, func(r *admissionv1.AdmissionRequest) { r.SubResource = "scale" }),
		"a deletion's null": workloadReview("apps/v1", "Deployment", "", `null`, func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Delete }),
	} {
		answer := f.post(t.Context(), webhook.PathCarry, review)
		if answer.response == nil || !answer.response.Allowed || len(answer.response.Patch) > 0 || len(answer.response.Warnings) != 1 {
			t.Errorf("%s: %s", name, answer.body)
		}
	}
}

// TestCarryOfADeletedCredential: a workload that was there before is not warned.
func TestCarryOfADeletedCredential(t *testing.T) {
	f := newFixture(t)
	gone := generic("team-a", "openai", "")
	gone.DeletionTimestamp = &metav1.Time{Time: time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC)}
	f.know(project("team-a", ""), gone)
	object := inSpec(asksOpenAI, "")
	if answer := f.post(t.Context(), webhook.PathCarry, workloadReview("apps/v1", "Deployment", object, object)); len(answer.response.Warnings) != 0 {
		t.Errorf("warned of pods that will be admitted: %v", answer.response.Warnings)
	}
	if answer := f.post(t.Context(), webhook.PathCarry, workloadReview("apps/v1", "Deployment", "", object)); len(answer.response.Warnings) != 1 {
		t.Errorf("not warned of pods that will be refused: %v", answer.response.Warnings)
	}
}

// TestCarryWarningsAreFew: however many templates there are, and whatever they say. The
// last warning says how many there are besides, those about the object among them.
func TestCarryWarningsAreFew(t *testing.T) {
	f := newFixture(t)
	f.know(project("team-a", ""))
	var jobs []string
	for i := range 10 {
		name := strings.Repeat("x", 30+i)
		jobs = append(jobs, `{"template":{"spec":{"template":{"metadata":{"annotations":{"credence.dev/credentials":"`+name+`"}},`+podSpec+`}}}}`)
	}
	object := func(annotations string) string {
		return `{"metadata":{"name":"web","annotations":{` + annotations + `}},"spec":{"replicatedJobs":[` + strings.Join(jobs, ",") + `]}}`
	}
	answer := f.post(t.Context(), webhook.PathCarry, workloadReview("jobset.x-k8s.io/v1alpha2", "JobSet", object(""), object(`"env.credence.dev/A":"openai/a"`)))
	warnings := answer.response.Warnings
	if len(warnings) != 5 || !strings.HasPrefix(warnings[0], "annotations of a JobSet are carried") || warnings[4] != "7 more warnings are left out" {
		t.Errorf("the warnings are %q", warnings)
	}
	for _, warning := range warnings {
		if len(warning) > 200 {
			t.Errorf("%d bytes: %s", len(warning), warning)
		}
	}
}
