// SPDX-License-Identifier: Apache-2.0

package podrules

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install" // the types' conversions and defaults
	"k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/golden"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/manifest"
)

const goldenFolder = "../../injector/testdata"

// injected are the golden cases that are pods with assets in them, as they are after
// injection.
func injected(t *testing.T) (cases []golden.Case, pods []*corev1.Pod) {
	t.Helper()
	all, err := golden.Load(goldenFolder)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if _, isPod := c.Pod(); !isPod || c.Want == nil || c.Flags.Output != "yaml" {
			continue
		}
		one := &corev1.Pod{}
		if err := yaml.Unmarshal(c.Want, one); err != nil || !hasAssets(one) {
			continue // of odd form, or without assets
		}
		one.Namespace = c.Flags.Namespace
		cases, pods = append(cases, c), append(pods, one)
	}
	if len(cases) < 20 {
		t.Fatalf("only %d cases have assets", len(cases))
	}
	return cases, pods
}

func hasAssets(one *corev1.Pod) bool {
	record := map[string]any{}
	_ = json.Unmarshal([]byte(one.Annotations["credence.dev/injected"]), &record) // without one there are none
	for name := range record {
		if strings.Contains(name, "/") {
			return true
		}
	}
	return false
}

// An API server takes the pods as they are after injection.
func TestPodsAreValid(t *testing.T) {
	cases, pods := injected(t)
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			for _, err := range problems(t, pods[i]) {
				t.Error(err)
			}
		})
	}
	pods[0].Spec.Containers[0].Image = ""
	if len(problems(t, pods[0])) == 0 {
		t.Error("a pod without an image is taken; the test proves nothing")
	}
}

// problems are what an API server finds in a pod, once it has defaulted it.
func problems(t *testing.T, one *corev1.Pod) []error {
	t.Helper()
	legacyscheme.Scheme.Default(one)
	internal := &core.Pod{}
	if err := legacyscheme.Scheme.Convert(one, internal, nil); err != nil {
		t.Fatal(err)
	}
	var found []error
	for _, err := range validation.ValidatePodCreate(internal, validation.PodValidationOptions{}) {
		found = append(found, err)
	}
	return found
}

// Once an API server has defaulted a pod, injection finds nothing more to do.
func TestDefaultedPodsAreLeftAlone(t *testing.T) {
	cases, pods := injected(t)
	for i, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			documents, err := manifest.ReadFile(c.Assets, nil)
			if err != nil {
				t.Fatal(err)
			}
			read, err := manifest.ReadAssets(documents)
			if err != nil {
				t.Fatal(err)
			}
			known, _ := read.Catalog(credential.DefaultLayout(), "team-a")
			legacyscheme.Scheme.Default(pods[i])
			text, err := json.Marshal(pods[i])
			if err != nil {
				t.Fatal(err)
			}
			decoded, err := pod.Decode(text)
			if err != nil {
				t.Fatal(err)
			}
			result, err := injector.Inject(known, injector.Request{Pod: decoded, Namespace: c.Flags.Namespace, PullSecrets: true})
			if err != nil || len(result.Operations) > 0 {
				t.Errorf("got error %v and operations %v", err, result.Operations)
			}
		})
	}
}

// The containers that fetch are taken in a namespace that enforces the restricted
// standard, with their volumes, and may not write to their root file system.
func TestFetchersAreRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	cases, pods := injected(t)
	fetching := 0
	for i, c := range cases {
		spec := &pods[i].Spec
		spec.InitContainers = slices.DeleteFunc(spec.InitContainers, func(container corev1.Container) bool {
			return !strings.HasPrefix(container.Name, "credence-fetch-")
		})
		spec.Containers = []corev1.Container{restricted()}
		spec.SecurityContext = nil
		fetching += len(spec.InitContainers)
		t.Run(c.Name, func(t *testing.T) {
			if result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &metav1.ObjectMeta{}, spec)); !result.Allowed {
				t.Errorf("refused: %s", result.ForbiddenDetail())
			}
			for _, container := range spec.InitContainers {
				if only := container.SecurityContext.ReadOnlyRootFilesystem; only == nil || !*only {
					t.Errorf("%s may write to its root file system", container.Name)
				}
			}
		})
	}
	if fetching < 10 {
		t.Errorf("only %d containers fetch", fetching)
	}
}

// restricted is a container that the restricted standard takes.
func restricted() corev1.Container {
	no, yes := false, true
	return corev1.Container{Name: "main", Image: "images.example.net/app", SecurityContext: &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, RunAsNonRoot: &yes,
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}}
}
