// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/remark"
)

// A pod that is a copy of one in a cluster has the containers that fetch already, with
// what the API server, admission plugins and other webhooks added to them.
func TestFetchersOfACopiedPod(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	for _, source := range []string{"docs", "code", "notebooks", "lab", "docs, code, notebooks"} {
		t.Run(source, func(t *testing.T) {
			document := fmt.Appendf(nil, `{"metadata":{"annotations":{"credence.dev/data-sources":%q}},
				"spec":{"securityContext":{"fsGroup":1},"containers":[{"name":"main","image":"images.example.net/app"}]}}`, source)
			copied := asCopied(t, applied(t, known, document))
			again, err := injectPod(t, known, copied, "team-a")
			if err != nil {
				t.Fatal(err)
			}
			if len(again.Operations) > 0 {
				t.Errorf("there is more to do: %+v", again.Operations)
			}
		})
	}
}

// applied is a pod after injection.
func applied(t *testing.T, known injector.Catalog, document []byte) []byte {
	t.Helper()
	result, err := injectPod(t, known, document, "team-a")
	if err != nil {
		t.Fatal(err)
	}
	patched, err := patch.Apply(document, result.Operations)
	if err != nil {
		t.Fatal(err)
	}
	return patched
}

// asCopied adds to the containers that fetch what others would.
func asCopied(t *testing.T, document []byte) []byte {
	t.Helper()
	object := parse(t, document)
	spec := at(object, "spec").(map[string]any)
	for _, one := range spec["initContainers"].([]any) {
		container := one.(map[string]any)
		container["image"] = "mirror.example.com/of-another-version"
		container["imagePullPolicy"] = "IfNotPresent"
		container["terminationMessagePath"] = "/dev/termination-log"
		container["resources"] = map[string]any{"limits": map[string]any{"memory": "1Gi"}}
		container["env"] = append([]any{map[string]any{"name": "HTTPS_PROXY", "value": "proxy"}}, container["env"].([]any)...)
		container["volumeMounts"] = append(container["volumeMounts"].([]any),
			map[string]any{"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true})
		if probe, ok := container["startupProbe"].(map[string]any); ok {
			probe["timeoutSeconds"], probe["successThreshold"] = 1, 1
		}
	}
	spec["volumes"] = append(spec["volumes"].([]any), map[string]any{"name": "token", "projected": map[string]any{}})
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Whatever differs in what a container does makes it another one.
func TestFetchersThatAreOthers(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	original := applied(t, known, []byte(`{"metadata":{"annotations":{"credence.dev/data-sources":"notebooks"}},
		"spec":{"containers":[{"name":"main","image":"images.example.net/app"}]}}`))
	for name, change := range map[string]func(spec, container map[string]any){
		"an argument more": func(_, c map[string]any) { c["args"] = append(c["args"].([]any), "--verbose=9") },
		"a command":        func(_, c map[string]any) { c["command"] = []any{"sleep"} },
		"no arguments":     func(_, c map[string]any) { delete(c, "args") },
		"a variable":       func(_, c map[string]any) { c["env"] = []any{map[string]any{"name": "HOME", "value": "/"}} },
		"a variable again": func(_, c map[string]any) {
			c["env"] = append(c["env"].([]any), map[string]any{"name": "HOME", "value": "/"})
		},
		"always":       func(_, c map[string]any) { c["restartPolicy"] = "Always" },
		"a mount less": func(_, c map[string]any) { c["volumeMounts"] = c["volumeMounts"].([]any)[:2] },
		"another Secret": func(s, _ map[string]any) {
			volumeOf(s, "credence-git")["secret"] = map[string]any{"secretName": "tokens"}
		},
		"no empty volume": func(s, _ map[string]any) { delete(volumeOf(s, "credence-data-notebooks"), "emptyDir") },
		"not an init container": func(s, c map[string]any) {
			s["containers"] = append(s["containers"].([]any), c)
			s["initContainers"] = []any{}
		},
		"twice": func(s, c map[string]any) { s["initContainers"] = []any{c, c} },
	} {
		t.Run(name, func(t *testing.T) {
			object := parse(t, original)
			spec := at(object, "spec").(map[string]any)
			change(spec, spec["initContainers"].([]any)[0].(map[string]any))
			text, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			_, err = injectPod(t, known, text, "team-a")
			if err == nil || !strings.Contains(err.Error(), "credence-fetch-notebooks") || !strings.Contains(err.Error(), `data source "notebooks"`) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func volumeOf(spec map[string]any, name string) map[string]any {
	for _, one := range spec["volumes"].([]any) {
		if volume := one.(map[string]any); volume["name"] == name {
			return volume
		}
	}
	return map[string]any{}
}

// An asset that is being deleted keeps the pods of its old workloads.
func TestDeletedAssets(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	began, _ := time.Parse(time.RFC3339, "2026-01-01T00:00:00Z")
	for name, test := range map[string]struct {
		since    func() (time.Time, bool)
		admitted bool
	}{
		"nothing controls it": {since: func() (time.Time, bool) { return time.Time{}, false }},
		"a newer workload":    {since: func() (time.Time, bool) { return began.Add(time.Second), true }},
		"an older workload":   {since: func() (time.Time, bool) { return began.Add(-time.Second), true }, admitted: true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := injector.Inject(known, injector.Request{
				Pod: podWith(t, "credence.dev/environment", "leaving-environment"), Namespace: "team-a", Since: test.since,
			})
			if admitted := err == nil; admitted != test.admitted {
				t.Errorf("got error %v", err)
			}
		})
	}
}

// The settings of a cluster are those of the container.
func TestFetchSettings(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	settings := fetch.Settings{
		GitImage: "mirror.example.com/git-sync", S3Image: "mirror.example.com/rclone", SizeLimit: "1Mi",
		Limits: map[string]string{"cpu": "1"}, CAConfigMap: "trust",
	}
	result, err := injector.Inject(known, injector.Request{
		Pod: podWith(t, "credence.dev/data-sources", "docs, weights"), Namespace: "team-a", Fetch: &settings,
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := patch.AppendJSON(nil, result.Operations)
	if err != nil {
		t.Fatal(err)
	}
	for what, times := range map[string]int{
		`"image":"mirror.example.com/git-sync"`: 1, `"image":"mirror.example.com/rclone"`: 1,
		`"emptyDir":{"sizeLimit":"1Mi"}`: 2, `"resources":{"limits":{"cpu":"1"}}`: 2,
		`"configMap":{"name":"trust"}`: 1, `"mountPath":"/ca"`: 2, // the volume is shared
		`"name":"RCLONE_CA_CERT"`: 1, `"name":"GIT_SSL_CAINFO"`: 1,
	} {
		if got := strings.Count(string(text), what); got != times {
			t.Errorf("%s is there %d times, want %d: %s", what, got, times, text)
		}
	}
}

// assetsOnly is a catalog of a project and assets.
func assetsOnly(objects ...metav1.Object) *catalog.Catalog {
	known := catalog.New(credential.DefaultLayout())
	known.SetNamespace("team-a", map[string]string{v1alpha1.LabelProject: "team-a"})
	for _, object := range objects {
		known.SetAsset(asset.New(object))
	}
	return known
}

var ofProject = v1alpha1.AssetHead{Scope: v1alpha1.Scope{Level: v1alpha1.ScopeProject}}

// What assets can make a pod ask for is bounded, too.
func TestAssetLimits(t *testing.T) {
	var names []string
	var sources []metav1.Object
	for i := range 65 {
		names = append(names, fmt.Sprintf("d%d", i))
		sources = append(sources, &v1alpha1.DataSource{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: names[i]},
			Spec:       v1alpha1.DataSourceSpec{AssetHead: ofProject, S3: &v1alpha1.S3Source{Bucket: "b", Path: v1alpha1.MountPath("/" + names[i])}},
		})
	}
	value := strings.Repeat("x", 4096)
	environment := &v1alpha1.Environment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "large"}, Spec: v1alpha1.EnvironmentSpec{AssetHead: ofProject},
	}
	for i := range 128 {
		environment.Spec.Env = append(environment.Spec.Env, v1alpha1.AssetEnv{Name: fmt.Sprintf("V%d", i), Value: &value})
	}
	known := assetsOnly(append(sources, environment)...)
	for name, test := range map[string]struct {
		key, value string
		containers int
		want       string // empty: taken
	}{
		"64 data sources":     {v1alpha1.AnnotationDataSources, strings.Join(names[:64], ","), 1, ""},
		"65 data sources":     {v1alpha1.AnnotationDataSources, strings.Join(names, ","), 1, "more than 64 data sources"},
		"values":              {v1alpha1.AnnotationEnvironment, "large", 3, ""},
		"values many times":   {v1alpha1.AnnotationEnvironment, "large", 5, "at most 2097152 in all"},
		"variables very many": {v1alpha1.AnnotationEnvironment, "large", 900, "things in 900 containers"},
	} {
		t.Run(name, func(t *testing.T) {
			document := &pod.Pod{Metadata: pod.Metadata{Annotations: map[string]string{test.key: test.value}}, Spec: &pod.Spec{}}
			for i := range test.containers {
				document.Spec.Containers = append(document.Spec.Containers, &pod.Container{Name: fmt.Sprint("c", i), Image: "images.example.net/app"})
			}
			_, err := injector.Inject(known, injector.Request{Pod: document, Namespace: "team-a"})
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
		})
	}
}

// What is not there may have been created a moment ago, also inside an asset.
func TestAssetRefusalKinds(t *testing.T) {
	known := assetsOnly(
		&v1alpha1.WorkloadTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "base"}, Spec: v1alpha1.WorkloadTemplateSpec{AssetHead: ofProject, Environment: "gone"}},
		&v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "broken"}, Spec: v1alpha1.EnvironmentSpec{AssetHead: ofProject, Credentials: []v1alpha1.AssetName{"gone"}}},
		&v1alpha1.DataSource{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "of-tomorrow"}, Spec: v1alpha1.DataSourceSpec{AssetHead: ofProject}},
	)
	for name, test := range map[string]struct {
		key, value string
		want       injector.RefusalKind
	}{
		"unknown":                     {v1alpha1.AnnotationTemplate, "no-such", injector.NotFound},
		"inside, an asset":            {v1alpha1.AnnotationTemplate, "base", injector.NotFound},
		"inside, a credential":        {v1alpha1.AnnotationEnvironment, "broken", injector.NotFound},
		"a source of another version": {v1alpha1.AnnotationDataSources, "of-tomorrow", injector.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := injector.Inject(known, injector.Request{Pod: podWith(t, test.key, test.value), Namespace: "team-a"})
			var refusal *injector.Refusal
			if !errors.As(err, &refusal) || refusal.Kind != test.want || refusal.Annotation != test.key {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestAssetIn(t *testing.T) {
	for recorded, want := range map[string]string{
		"environment/a": "Environment a", "data-source/b": "DataSource b", "template/c": "WorkloadTemplate c",
		"environment": " ", "environment/": " ", "a": " ", "a/b": " ",
	} {
		kind, name, _ := remark.AssetIn(recorded)
		if diff := cmp.Diff(want, string(kind)+" "+name); diff != "" {
			t.Errorf("%s (-want +got):\n%s", recorded, diff)
		}
	}
}
