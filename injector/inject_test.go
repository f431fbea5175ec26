// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/manifest"
)

// podWith makes a pod with one container and pairs of annotations.
func podWith(t testing.TB, annotations ...string) *pod.Pod {
	t.Helper()
	pairs := map[string]string{}
	for i := 0; i < len(annotations); i += 2 {
		pairs[annotations[i]] = annotations[i+1]
	}
	return podOf(t, map[string]any{
		"metadata": map[string]any{"name": "web", "annotations": pairs},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": "main", "image": "leaving.example.com/app"}}},
	})
}

func podOf(t testing.TB, object map[string]any) *pod.Pod {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := pod.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// TestDeleting holds that a credential that is being deleted accepts no new
// workloads, and that pods of older ones are replaced.
func TestDeleting(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // as the assets say
	of := func(since time.Time, controlled bool) func() (time.Time, bool) {
		return func() (time.Time, bool) { return since, controlled }
	}
	for name, test := range map[string]struct {
		since    func() (time.Time, bool)
		admitted bool
	}{
		"nobody knows":             {since: nil},
		"nothing controls it":      {since: of(time.Time{}, false)},
		"nothing, though old":      {since: of(began.Add(-time.Hour), false)},
		"a workload that is newer": {since: of(began.Add(time.Second), true)},
		"a workload that is older": {since: of(began.Add(-time.Second), true), admitted: true},
		"of the same second":       {since: of(began, true), admitted: true},
		"of an unknown age":        {since: of(time.Time{}, true), admitted: true},
	} {
		t.Run(name, func(t *testing.T) {
			request := injector.Request{Namespace: "team-a", PullSecrets: true, Since: test.since}
			request.Pod = podWith(t, "credence.dev/credentials", "leaving")
			_, err := injector.Inject(known, request)
			if admitted := err == nil; admitted != test.admitted {
				t.Errorf("named: got error %v", err)
			}
			request.Pod = podWith(t)
			result, err := injector.Inject(known, request)
			if err != nil {
				t.Fatal(err)
			}
			if _, added := result.Record["leaving-registry"]; added != test.admitted {
				t.Errorf("automatic: got %v", result.Record)
			}
		})
	}
}

// TestSinceIsAskedSeldom holds that owners are looked up only where a credential
// is being deleted.
func TestSinceIsAskedSeldom(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	_, err := injector.Inject(known, injector.Request{
		Pod: podWith(t, "credence.dev/credentials", "tokens, bucket"), Namespace: "team-a",
		Since: func() (time.Time, bool) { t.Error("asked"); return time.Time{}, false },
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRefusalKinds(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	for name, test := range map[string]struct {
		credentials, namespace string
		want                   injector.RefusalKind
	}{
		"unknown":               {"no-such", "team-a", injector.NotFound},
		"not a project":         {"tokens", "outside", injector.NotFound},
		"never a project":       {"tokens", "research-home", injector.Invalid},
		"behind":                {"behind", "team-a", injector.NotReady},
		"source never seen":     {"source-awaited", "team-a", injector.NotReady},
		"not authorized":        {"unauthorized", "team-a", injector.Invalid},
		"taken":                 {"taken", "team-a", injector.Invalid},
		"deleting":              {"leaving", "team-a", injector.Invalid},
		"malformed":             {",", "team-a", injector.Invalid},
		"known, elsewhere":      {"rival-key", "team-a", injector.NotFound},
		"known, not to outside": {"rival-key", "outside", injector.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := injector.Inject(known, injector.Request{Pod: podWith(t, "credence.dev/credentials", test.credentials), Namespace: test.namespace})
			var refusal *injector.Refusal
			if !errors.As(err, &refusal) || refusal.Kind != test.want || refusal.Annotation != "credence.dev/credentials" {
				t.Errorf("got %#v", err)
			}
		})
	}
}

// TestTenants holds that a tenant is told the same whether the other tenant has
// something or not.
func TestTenants(t *testing.T) {
	documents, err := manifest.ReadFile("testdata/assets.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	assets, err := manifest.ReadAssets(documents)
	if err != nil {
		t.Fatal(err)
	}
	all, _ := assets.Catalog(credential.DefaultLayout(), "team-a")
	for namespace, other := range map[string]struct{ namespace, department string }{
		"team-a": {"rivals", "sales"},
		"rivals": {"team-a", "research"},
	} {
		var theirs []string
		alone := *assets
		alone.Credentials = slices.DeleteFunc(slices.Clone(assets.Credentials), func(c v1alpha1.Credential) bool {
			isTheirs := c.Namespace == other.namespace || c.Spec.Scope.Department == other.department
			if isTheirs {
				theirs = append(theirs, c.Name)
			}
			return isTheirs
		})
		without, _ := alone.Catalog(credential.DefaultLayout(), "team-a")
		for _, name := range theirs {
			for _, named := range []string{name, name + "x", name[1:], strings.ToUpper(name)} {
				for key, value := range map[string]string{
					"credence.dev/credentials": named,
					"env.credence.dev/A":       named + "/key",
					"mount.credence.dev/a":     named + ":/a",
				} {
					request := injector.Request{Pod: podWith(t, key, value), Namespace: namespace, PullSecrets: true}
					if diff := cmp.Diff(outcome(t, without, request), outcome(t, all, request)); diff != "" {
						t.Errorf("%s learns of %s (-without +with):\n%s", namespace, name, diff)
					}
				}
			}
		}
		if len(theirs) == 0 {
			t.Errorf("there is nothing that %s may not see", namespace)
		}
	}
}

// outcome is all that a tenant sees of an injection.
func outcome(t *testing.T, known injector.Catalog, request injector.Request) string {
	t.Helper()
	result, err := injector.Inject(known, request)
	operations, patchErr := patch.AppendJSON(nil, result.Operations)
	if patchErr != nil {
		t.Fatal(patchErr)
	}
	return fmt.Sprintf("%s\n%q\n%v", operations, result.Warnings, err)
}

// TestOneOperationCreatesAList holds that no list is created twice: the second
// would overwrite the first.
func TestOneOperationCreatesAList(t *testing.T) {
	known, _ := catalogOf(t, "testdata/assets.yaml", credential.DefaultLayout())
	result, err := injector.Inject(known, injector.Request{
		Pod:       podWith(t, "credence.dev/credentials", "openai, git, tokens, bucket, hub, quay, unseen-registry", "mount.credence.dev/a", "bucket:/a", "env.credence.dev/B", "git/privateKey"),
		Namespace: "team-a", PullSecrets: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	created := map[string]int{}
	for _, operation := range result.Operations {
		if operation.Operation != "add" {
			t.Errorf("%s %s", operation.Operation, operation.Path)
		}
		created[operation.Path]++
	}
	for _, path := range slices.Sorted(maps.Keys(created)) {
		if created[path] > 1 && !strings.HasSuffix(path, "/-") && !strings.HasSuffix(path, "/0") {
			t.Errorf("%d operations create %s", created[path], path)
		}
	}
	if len(created) != len(result.Operations) {
		t.Errorf("the pod has no lists yet, and there are %d operations at %d places", len(result.Operations), len(created))
	}
}
