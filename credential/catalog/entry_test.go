// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
)

func ready(reason string, status metav1.ConditionStatus) func(*v1alpha1.Credential) {
	return func(c *v1alpha1.Credential) {
		c.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, Reason: reason}}
	}
}

func TestNewEntry(t *testing.T) {
	deletedAt := metav1.NewTime(time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC))
	injection := &v1alpha1.Injection{MountPath: "/etc/openai", Env: []v1alpha1.InjectionEnv{{Name: "KEY", Key: "api-key"}}}
	got := entry(system, "openai", department("research"), func(c *v1alpha1.Credential) {
		c.Spec.Injection = injection
		c.DeletionTimestamp = &deletedAt
		c.Status.Keys = []v1alpha1.SecretKey{{Key: "api-key"}}
	})
	generic, _ := credential.DefinitionOf(v1alpha1.Generic)
	want := &catalog.Entry{
		NamespacedName: types.NamespacedName{Namespace: system, Name: "openai"},
		DisplayName:    "openai",
		Definition:     generic,
		Scope:          department("research"),
		Injection:      injection,
		KubernetesName: "genericsecret-openai",
		Keys:           []v1alpha1.SecretKey{{Key: "api-key"}},
		KeysKnown:      true,
		DeletedAt:      &deletedAt,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(catalog.Entry{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNewEntryKeepsNothing(t *testing.T) {
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "hub", DeletionTimestamp: &metav1.Time{Time: time.Unix(1, 0)}}}
	c.Spec.Type, c.Spec.Scope = v1alpha1.DockerRegistry, cluster
	c.Spec.Injection = &v1alpha1.Injection{Env: []v1alpha1.InjectionEnv{{Name: "A", Key: "a"}}}
	c.Status.Keys = []v1alpha1.SecretKey{{Key: ".dockerconfigjson", Role: ".dockerconfigjson"}}
	c.Status.Registries = []string{"quay.io"}
	c.Status.PendingNamespaces = []string{"team-b", "team-a"}
	c.Status.TakenNamespaces = []string{"team-c"}
	given := c.DeepCopy()
	e := catalog.NewEntry(c)
	if diff := cmp.Diff(given, c); diff != "" {
		t.Errorf("the Credential is changed (-before +after):\n%s", diff)
	}

	c.Spec.Injection.Env[0].Name = "B"
	c.Status.Keys[0].Key = "other"
	c.Status.Registries[0] = "ghcr.io"
	c.Status.PendingNamespaces[0], c.Status.PendingNamespaces[1] = "x", "y"
	c.Status.TakenNamespaces[0] = "z"
	c.DeletionTimestamp.Time = time.Unix(2, 0)
	if diff := cmp.Diff(catalog.NewEntry(given), e, cmp.AllowUnexported(catalog.Entry{}, credential.Pattern{})); diff != "" {
		t.Errorf("the entry follows the object (-before +after):\n%s", diff)
	}
}

func TestEntryState(t *testing.T) {
	type state struct {
		Behind, SourceMissing, KeysKnown bool
		Problem                          string
	}
	keys := func(c *v1alpha1.Credential) { c.Status.Keys = []v1alpha1.SecretKey{{Key: "a"}} }
	generations := func(generation, observed int64) func(*v1alpha1.Credential) {
		return func(c *v1alpha1.Credential) { c.Generation, c.Status.ObservedGeneration = generation, observed }
	}
	deleted := func(c *v1alpha1.Credential) { c.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }
	for name, test := range map[string]struct {
		entry *catalog.Entry
		want  state
	}{
		"new":                 {entry(system, "x", cluster, generations(1, 0)), state{Behind: true}},
		"new, no generation":  {entry(system, "x", cluster, generations(0, 0)), state{Behind: true}},
		"changed":             {entry(system, "x", cluster, generations(3, 2), keys), state{Behind: true, KeysKnown: true}},
		"deleted":             {entry(system, "x", cluster, generations(3, 2), deleted, keys), state{KeysKnown: true}},
		"changed and deleted": {entry(system, "x", cluster, generations(3, 1), deleted, keys), state{Behind: true, KeysKnown: true}},
		"new and deleted":     {entry(system, "x", cluster, generations(2, 0), deleted), state{Behind: true}},
		"observed":            {entry(system, "x", cluster, generations(3, 3), keys), state{KeysKnown: true}},
		"spread":              {entry(system, "x", cluster, keys, ready("Propagated", metav1.ConditionTrue)), state{KeysKnown: true}},
		"being spread":        {entry(system, "x", cluster, keys, ready("Propagating", metav1.ConditionFalse)), state{KeysKnown: true}},
		"issues somewhere":    {entry(system, "x", cluster, keys, ready("NamespaceIssues", metav1.ConditionFalse)), state{KeysKnown: true}},
		"terminating":         {entry(system, "x", cluster, keys, ready("Terminating", metav1.ConditionFalse)), state{KeysKnown: true}},
		"missing":             {entry(system, "x", cluster, ready("SourceMissing", metav1.ConditionFalse)), state{SourceMissing: true}},
		"missing, once there": {entry(system, "x", cluster, keys, ready("SourceMissing", metav1.ConditionFalse)), state{SourceMissing: true, KeysKnown: true}},
		"no project":          {entry(system, "x", cluster, ready("NotAProject", metav1.ConditionFalse)), state{Problem: "NotAProject"}},
		"wrong namespace":     {entry(system, "x", cluster, ready("WrongNamespace", metav1.ConditionFalse)), state{Problem: "WrongNamespace"}},
		"not authorized":      {entry(system, "x", cluster, keys, ready("SourceNotAuthorized", metav1.ConditionFalse)), state{Problem: "SourceNotAuthorized", KeysKnown: true}},
		"not allowed":         {entry(system, "x", cluster, ready("SourceNotAllowed", metav1.ConditionFalse)), state{Problem: "SourceNotAllowed"}},
		"in use":              {entry(system, "x", cluster, ready("SourceInUse", metav1.ConditionFalse)), state{Problem: "SourceInUse"}},
		"invalid":             {entry(system, "x", cluster, ready("SourceInvalid", metav1.ConditionFalse)), state{Problem: "SourceInvalid"}},
		"mended":              {entry(system, "x", cluster, ready("SourceInvalid", metav1.ConditionTrue)), state{}},
		"of an unknown type":  {entry(system, "x", cluster, func(c *v1alpha1.Credential) { c.Spec.Type = "canary" }), state{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := state{test.entry.Behind, test.entry.SourceMissing, test.entry.KeysKnown, test.entry.Problem}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if why := test.entry.Unusable(); (why != "") != (test.want.Problem != "") {
				t.Errorf("pods' authors are told %q", why)
			}
			if !test.entry.KeysKnown {
				if diff := cmp.Diff(test.entry.Definition.AssumedKeys(), test.entry.Keys); diff != "" {
					t.Errorf("keys of a Secret never seen (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestEntryNamespaces(t *testing.T) {
	e := entry(system, "x", cluster, func(c *v1alpha1.Credential) {
		c.Status.PendingNamespaces = []string{"team-c", "team-a"}
		c.Status.TakenNamespaces = []string{"team-d", "team-b"}
	})
	for namespace, want := range map[string]catalog.SecretState{
		"team-a": catalog.SecretPending, "team-b": catalog.SecretTaken, "team-c": catalog.SecretPending, "team-d": catalog.SecretTaken, "team-e": catalog.SecretReady,
	} {
		if got := e.SecretIn(namespace); got != want || e.Taken(namespace) != (want == catalog.SecretTaken) {
			t.Errorf("in %s it is %d, and should be %d", namespace, got, want)
		}
	}
}

func TestEntryServes(t *testing.T) {
	e := entry(system, "x", cluster, login("quay.io/team/app", "quay.io/team", "quay.io"))
	for ref, want := range map[string]string{
		"quay.io/team/app:v1": "quay.io/team/app", "quay.io/team/b": "quay.io/team", "quay.io/c": "quay.io", "nginx": "",
	} {
		image, _ := credential.ParseImage(ref)
		if got, ok := e.Serves(image); got != want || ok != (want != "") {
			t.Errorf("%s is served by %q, %v", ref, got, ok)
		}
	}
	if e := entry(system, "x", cluster); e.HasRegistries() {
		t.Error("a generic credential is used automatically")
	}
}

func TestNewEntryFromSource(t *testing.T) {
	layout := credential.DefaultLayout()
	docker := func(change ...func(*credential.Candidate)) credential.Candidate {
		c := credential.Candidate{
			Credential: &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "hub", Generation: 4}},
			Home:       layout.Place(system, nil),
			Layout:     layout,
			Secret: &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "hub", Labels: map[string]string{"run.ai/resource": "docker-registry", "run.ai/cluster-wide": "true"}},
				Type:       corev1.SecretTypeDockerConfigJson,
				Data:       map[string][]byte{".dockerconfigjson": []byte(`{"auths": {"quay.io": {}}}`)},
			},
		}
		c.Credential.Spec = v1alpha1.CredentialSpec{Type: v1alpha1.DockerRegistry, Scope: cluster, SecretRef: v1alpha1.SecretReference{Name: "hub"}}
		for _, change := range change {
			change(&c)
		}
		return c
	}
	type facts struct {
		KeysKnown     bool
		Problem, Told string
		SourceMissing bool
		ServesQuay    bool
	}
	for name, test := range map[string]struct {
		candidate credential.Candidate
		want      facts
	}{
		"valid":            {docker(), facts{KeysKnown: true, ServesQuay: true}},
		"source not given": {docker(func(c *credential.Candidate) { c.Secret = nil }), facts{}},
		"source not valid": {docker(func(c *credential.Candidate) { c.Secret.Data = nil }), facts{Problem: "SourceInvalid", Told: "Secret credence-credentials/hub has no key .dockerconfigjson"}},
		"status of old":    {docker(func(c *credential.Candidate) { c.Secret = nil; c.Credential.Status.Registries = []string{"quay.io"} }), facts{}},
		"type unknown":     {docker(func(c *credential.Candidate) { c.Credential.Spec.Type = "canary" }), facts{Problem: "SourceInvalid", Told: `type "canary" is unknown`}},
	} {
		t.Run(name, func(t *testing.T) {
			before := test.candidate.Credential.DeepCopy()
			e, problem := catalog.NewEntryFromSource(test.candidate)
			quay, _ := credential.ParseImage("quay.io/a")
			_, serves := e.Serves(quay)
			got := facts{KeysKnown: e.KeysKnown, Problem: e.Problem, SourceMissing: e.SourceMissing, ServesQuay: serves}
			if problem != nil {
				got.Told = problem.Message
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if e.Behind {
				t.Error("waits for a controller that never comes")
			}
			if diff := cmp.Diff(before, test.candidate.Credential); diff != "" {
				t.Errorf("the Credential is changed (-before +after):\n%s", diff)
			}
		})
	}
}
