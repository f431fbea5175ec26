// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
)

// indexFake is an index of pods by the Secret that they read.
type indexFake map[string][]usage.Reader

func (indexFake) Synced() bool              { return true }
func (indexFake) Notify(func(usage.Change)) {}

func (x indexFake) Readers(q usage.Query) []usage.Reader {
	var readers []usage.Reader
	for _, reader := range x[q.Secret] {
		for _, namespace := range q.Namespaces {
			if reader.Pod.Namespace == namespace {
				readers = append(readers, reader)
			}
		}
	}
	return readers
}

func clientOf(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

// rotated makes a cluster's credential that asks for restarts and changed at a
// minute.
func rotated(name string, minute int, but ...func(*v1alpha1.Credential)) *v1alpha1.Credential {
	c := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "credence-credentials", Name: name, UID: types.UID("uid-" + name)}}
	c.Spec = v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeCluster},
		SecretRef: v1alpha1.SecretReference{Name: name}, Rotation: &v1alpha1.Rotation{Restart: true}}
	c.Status = v1alpha1.CredentialStatus{Fingerprint: "k:2", RotatedAt: &metav1.Time{Time: at(minute)}, Keys: []v1alpha1.SecretKey{{Key: "api-key"}},
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPropagated}}}
	for _, but := range but {
		but(c)
	}
	return c
}

func never(c *v1alpha1.Credential) { c.Status.RotatedAt = nil }

func withdrawn(c *v1alpha1.Credential) { c.Status.Keys = nil }

// sourceless has a credential's source missing for a moment.
func sourceless(c *v1alpha1.Credential) {
	c.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonSourceMissing}}
}

func inProject(c *v1alpha1.Credential) {
	c.Namespace, c.Spec.Scope = "team-a", v1alpha1.Scope{Level: v1alpha1.ScopeProject}
}

// copied makes the copy of credential key in team-a.
func copied(fingerprint string, but ...func(*corev1.Secret)) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "genericsecret-key",
		Labels:      map[string]string{v1alpha1.LabelCopyOf: "key", v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence},
		Annotations: map[string]string{v1alpha1.AnnotationCopyOfUID: "uid-key", v1alpha1.AnnotationFingerprint: fingerprint}}}
	for _, but := range but {
		but(s)
	}
	return s
}

func writtenAt(minute int) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		s.Annotations[v1alpha1.AnnotationRotatedAt] = at(minute).Format(time.RFC3339)
	}
}

func TestChanges(t *testing.T) {
	pod := func(minute int) usage.Reader {
		return usage.Reader{Pod: types.NamespacedName{Namespace: "team-a", Name: "web-1"}, Workload: web, StartedAt: at(minute)}
	}
	waiting, others := pod(0), pod(0)
	waiting.StartedAt = time.Time{}
	others.Workload.UID = "other"
	const secret = "genericsecret-key"
	for name, test := range map[string]struct {
		objects []client.Object
		secret  string // genericsecret-key unless given
		pods    []usage.Reader
		// want are the changes, by the minute, and what is true of them.
		want []string
	}{
		"an old pod":                  {objects: []client.Object{rotated("key", 10), copied("k:2")}, pods: []usage.Reader{pod(0)}, want: []string{"key 10 ready outdated"}},
		"a new pod":                   {objects: []client.Object{rotated("key", 10), copied("k:2")}, pods: []usage.Reader{pod(11)}, want: []string{"key 10 ready"}},
		"a pod of the same second":    {objects: []client.Object{rotated("key", 10), copied("k:2")}, pods: []usage.Reader{pod(10)}, want: []string{"key 10 ready outdated"}},
		"one of two is old":           {objects: []client.Object{rotated("key", 10), copied("k:2")}, pods: []usage.Reader{pod(11), pod(9)}, want: []string{"key 10 ready outdated"}},
		"a pod that does not run yet": {objects: []client.Object{rotated("key", 10), copied("k:2")}, pods: []usage.Reader{waiting}, want: []string{"key 10 ready"}},
		"another workload's pod":      {objects: []client.Object{rotated("key", 10), copied("k:2")}, pods: []usage.Reader{others}},
		"the copy was written later":  {objects: []client.Object{rotated("key", 10), copied("k:2", writtenAt(12))}, pods: []usage.Reader{pod(11)}, want: []string{"key 12 ready outdated"}},
		"only the copy changed":       {objects: []client.Object{rotated("key", 0, never), copied("k:2", writtenAt(12))}, pods: []usage.Reader{pod(11)}, want: []string{"key 12 ready outdated"}},
		"the copy has the old values": {objects: []client.Object{rotated("key", 10), copied("k:1", writtenAt(5))}, pods: []usage.Reader{pod(0)}, want: []string{"key 10 outdated"}},
		"the copy is another's":       {objects: []client.Object{rotated("key", 10), copied("k:2", func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationCopyOfUID] = "x" })}, pods: []usage.Reader{pod(0)}, want: []string{"key 10 outdated"}},
		"no copy":                     {objects: []client.Object{rotated("key", 10)}, pods: []usage.Reader{pod(0)}},
		"values that never changed":   {objects: []client.Object{rotated("key", 0, never), copied("k:2")}, pods: []usage.Reader{pod(0)}},
		"no restarts wanted":          {objects: []client.Object{rotated("key", 10, func(c *v1alpha1.Credential) { c.Spec.Rotation.Restart = false }), copied("k:2")}, pods: []usage.Reader{pod(0)}},
		"nothing said about rotation": {objects: []client.Object{rotated("key", 10, func(c *v1alpha1.Credential) { c.Spec.Rotation = nil }), copied("k:2")}, pods: []usage.Reader{pod(0)}},
		"withdrawn":                   {objects: []client.Object{rotated("key", 10, withdrawn), copied("k:2")}, pods: []usage.Reader{pod(0)}},
		"withdrawn in a project":      {objects: []client.Object{rotated("key", 10, inProject, withdrawn)}, secret: "key", pods: []usage.Reader{pod(0)}},
		"the source is missing":       {objects: []client.Object{rotated("key", 10, sourceless), copied("k:2")}, pods: []usage.Reader{pod(0)}, want: []string{"key 10 ready outdated"}},
		"a project's is missing":      {objects: []client.Object{rotated("key", 10, inProject, sourceless)}, secret: "key", pods: []usage.Reader{pod(0)}, want: []string{"key 10 outdated"}},
		"another department's": {objects: []client.Object{rotated("key", 10, func(c *v1alpha1.Credential) {
			c.Spec.Scope = v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: "sales"}
		}), copied("k:2")}, pods: []usage.Reader{pod(0)}},
		"a narrower one is meant":       {objects: []client.Object{rotated("key", 10), copied("k:2"), rotated("key", 10, inProject, never)}, pods: []usage.Reader{pod(0)}},
		"a project's":                   {objects: []client.Object{rotated("key", 10, inProject)}, secret: "key", pods: []usage.Reader{pod(0)}, want: []string{"key 10 ready outdated"}},
		"two, of which one pod is late": {objects: []client.Object{rotated("b", 10, inProject), rotated("a", 20, inProject, func(c *v1alpha1.Credential) { c.Spec.SecretRef.Name = "b" })}, secret: "b", pods: []usage.Reader{pod(15)}, want: []string{"a 20 ready outdated", "b 10 ready"}},
	} {
		t.Run(name, func(t *testing.T) {
			known := catalog.New(credential.DefaultLayout())
			known.SetNamespace("team-a", map[string]string{v1alpha1.LabelProject: "a", v1alpha1.LabelDepartment: "research"})
			for _, object := range test.objects {
				if c, ok := object.(*v1alpha1.Credential); ok {
					known.Set(catalog.NewEntry(c))
				}
			}
			read := secret
			if test.secret != "" {
				read = test.secret
			}
			f := facts{index: indexFake{read: test.pods}, catalog: known, cache: clientOf(t, test.objects...)}
			changes, outdated, err := f.changes(t.Context(), web)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			anyOutdated := false
			for _, c := range changes {
				text := c.credential.Name + " " + c.at.Sub(at(0)).Round(time.Minute).String()[:2]
				if c.ready {
					text += " ready"
				}
				if c.outdated {
					text += " outdated"
				}
				anyOutdated = anyOutdated || c.outdated
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if outdated != anyOutdated {
				t.Errorf("outdated: %t", outdated)
			}
		})
	}
}
