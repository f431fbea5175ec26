// SPDX-License-Identifier: Apache-2.0

package injector_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/golden"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/manifest"
)

var update = flag.Bool("update", false, "write what the golden cases got as what they want")

func goldenCases(tb testing.TB) []golden.Case {
	tb.Helper()
	cases, err := golden.Load("testdata")
	if err != nil {
		tb.Fatal(err)
	}
	return cases
}

// catalogOf makes a catalog of a file with assets.
func catalogOf(tb testing.TB, file string, layout credential.Layout) (known *catalog.Catalog, problems []error) {
	tb.Helper()
	documents, err := manifest.ReadFile(file, nil)
	if err != nil {
		tb.Fatal(err)
	}
	assets, err := manifest.ReadAssets(documents)
	if err != nil {
		tb.Fatal(err)
	}
	return assets.Catalog(layout, "team-a")
}

// goldenCatalog makes the catalog of a case.
func goldenCatalog(tb testing.TB, c *golden.Case) (known *catalog.Catalog, problems []error) {
	tb.Helper()
	layout := credential.DefaultLayout()
	if c.Flags.ProjectLabel != "" {
		layout.ProjectLabel = c.Flags.ProjectLabel
	}
	return catalogOf(tb, c.Assets, layout)
}

func TestGolden(t *testing.T) {
	for _, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			got, messages := runGolden(t, &c)
			if *update {
				if err := c.Write(got, messages); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(c.Want), string(got)); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(strings.Join(c.Messages, "\n"), strings.Join(messages, "\n")); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

// runGolden does what the command does.
func runGolden(t *testing.T, c *golden.Case) (got []byte, messages []string) {
	t.Helper()
	known, problems := goldenCatalog(t, c)
	for _, problem := range problems {
		messages = append(messages, "Warning: "+problem.Error())
	}
	documents, err := manifest.Read(golden.WorkloadFile, c.Workload)
	if err != nil {
		return nil, append(messages, "Error: "+err.Error())
	}
	var injected []manifest.Injected
	var refusals []error
	for _, document := range documents {
		result, err := manifest.Inject(known, document, manifest.Options{Namespace: c.Flags.Namespace, PullSecrets: c.Flags.PullSecrets})
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		for _, warning := range result.Warnings {
			messages = append(messages, "Warning: "+warning)
		}
		injected = append(injected, result)
	}
	if len(refusals) > 0 {
		return nil, append(messages, strings.Split("Error: "+errors.Join(refusals...).Error(), "\n")...)
	}
	var out bytes.Buffer
	if err := manifest.Write(&out, injected, manifest.Format(c.Flags.Output)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), messages
}

// TestGoldenPods runs the cases that are just one Pod as a webhook does.
func TestGoldenPods(t *testing.T) {
	ran := 0
	for _, c := range goldenCases(t) {
		document, ok := c.Pod()
		if !ok || c.Flags.Output != "yaml" {
			continue
		}
		ran++
		t.Run(c.Name, func(t *testing.T) {
			wantWarnings, wantRefusal := c.Sentences()
			known, _ := goldenCatalog(t, &c)
			result, err := injectPod(t, known, document, c.Flags.Namespace)
			if err != nil {
				if diff := cmp.Diff(wantRefusal, err.Error()); diff != "" {
					t.Errorf("refusal (-want +got):\n%s", diff)
				}
				return
			}
			if wantRefusal != "" {
				t.Fatalf("not refused: %s", wantRefusal)
			}
			if diff := cmp.Diff(wantWarnings, result.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			patched, err := patch.Apply(document, result.Operations)
			if err != nil {
				t.Fatal(err)
			}
			want, err := yaml.YAMLToJSON(c.Want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parse(t, want), parse(t, patched)); diff != "" {
				t.Errorf("document (-want +got):\n%s", diff)
			}
		})
	}
	if ran < 100 {
		t.Errorf("only %d cases are Pods", ran)
	}
}

func injectPod(t *testing.T, known injector.Catalog, document []byte, namespace string) (injector.Result, error) {
	decoded, err := pod.Decode(document)
	if err != nil {
		return injector.Result{}, err
	}
	if own, ok := at(parse(t, document), "metadata", "namespace").(string); ok {
		namespace = own
	}
	return injector.Inject(known, injector.Request{Pod: decoded, Namespace: namespace, PullSecrets: true})
}

// kinds are the types that the results of the cases must fit.
var kinds = map[string]func() any{
	"Pod":                   func() any { return new(corev1.Pod) },
	"PodTemplate":           func() any { return new(corev1.PodTemplate) },
	"ReplicationController": func() any { return new(corev1.ReplicationController) },
	"Deployment":            func() any { return new(appsv1.Deployment) },
	"StatefulSet":           func() any { return new(appsv1.StatefulSet) },
	"DaemonSet":             func() any { return new(appsv1.DaemonSet) },
	"ReplicaSet":            func() any { return new(appsv1.ReplicaSet) },
	"Job":                   func() any { return new(batchv1.Job) },
	"CronJob":               func() any { return new(batchv1.CronJob) },
}

// TestGoldenTypes holds that what is added has the names and types that Kubernetes
// has: the injector's own types are hand-written.
func TestGoldenTypes(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range goldenCases(t) {
		if c.Want == nil || c.Flags.Output == "patch" || slices.Contains([]string{"of-tomorrow", "form-json", "form-documents"}, c.Name) {
			continue // refused, no documents, or with fields and values that no Pod has
		}
		documents, err := manifest.Read("want.yaml", c.Want)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range documents {
			var head metav1.TypeMeta
			if document.JSON == nil || json.Unmarshal(document.JSON, &head) != nil || kinds[head.Kind] == nil || head.APIVersion == "example.com/v1" {
				continue
			}
			seen[head.Kind] = true
			strict, err := kjson.UnmarshalStrict(document.JSON, kinds[head.Kind]())
			if err != nil || len(strict) > 0 {
				t.Errorf("%s: %v %v", c.Name, err, strict)
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(kinds)), slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("kinds in the cases (-want +got):\n%s", diff)
	}
}

// TestOrphans holds that a file which no case reads is found.
func TestOrphans(t *testing.T) {
	for name, file := range map[string]string{
		"beside the cases": "orphan.yaml",
		"in a case":        "case/wanted.yaml",
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.Mkdir(root+"/case", 0o755); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{"case/workload.yaml", file} {
				if err := os.WriteFile(root+"/"+file, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := golden.Load(root); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(file, "case/")) {
				t.Errorf("got error %v", err)
			}
		})
	}
}
