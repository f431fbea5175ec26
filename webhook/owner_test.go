// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/webhook"
)

var (
	deletion = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	before   = deletion.Add(-time.Hour)
	after    = deletion.Add(time.Minute)
)

// owner is an object with a controller of its own, or none. Its UID is uid-<name>.
func owner(apiVersion, kind, name string, created time.Time, controller ...metav1.OwnerReference) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: kind},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team-a", Name: name, UID: types.UID("uid-" + name),
			CreationTimestamp: metav1.NewTime(created), OwnerReferences: controller,
		},
	}
}

// ownedBy refers to an owner.
func ownedBy(apiVersion, kind, name string) metav1.OwnerReference {
	controls := true
	return metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID("uid-" + name), Controller: &controls}
}

// Failure mode 62, and the webhook's half of 46: a credential that is being deleted
// is not for new workloads, and still for the replacements of pods that were there.
func TestDeletingCredential(t *testing.T) {
	otherUID := ownedBy("apps/v1", "ReplicaSet", "web-1")
	otherUID.UID = "forged"
	noController := ownedBy("apps/v1", "ReplicaSet", "web-1")
	noController.Controller = nil
	old := owner("apps/v1", "Deployment", "web", before)
	cases := map[string]struct {
		controller []metav1.OwnerReference
		objects    []client.Object
		admitted   bool
		reads      []string
	}{
		"a bare pod": {},
		"a replacement of an old Deployment": {
			controller: []metav1.OwnerReference{ownedBy("apps/v1", "ReplicaSet", "web-1")},
			objects:    []client.Object{old, owner("apps/v1", "ReplicaSet", "web-1", before, ownedBy("apps/v1", "Deployment", "web"))},
			admitted:   true,
			reads:      []string{"ReplicaSet team-a/web-1", "Deployment team-a/web"},
		},
		"an old Deployment rolls": {
			controller: []metav1.OwnerReference{ownedBy("apps/v1", "ReplicaSet", "web-2")},
			objects:    []client.Object{old, owner("apps/v1", "ReplicaSet", "web-2", after, ownedBy("apps/v1", "Deployment", "web"))},
			admitted:   true,
			reads:      []string{"ReplicaSet team-a/web-2", "Deployment team-a/web"},
		},
		"a new Deployment": {
			controller: []metav1.OwnerReference{ownedBy("apps/v1", "ReplicaSet", "web-1")},
			objects: []client.Object{owner("apps/v1", "Deployment", "web", after),
				owner("apps/v1", "ReplicaSet", "web-1", after, ownedBy("apps/v1", "Deployment", "web"))},
			reads: []string{"ReplicaSet team-a/web-1", "Deployment team-a/web"},
		},
		"the next run of an old CronJob": {
			controller: []metav1.OwnerReference{ownedBy("batch/v1", "Job", "nightly-1")},
			objects: []client.Object{owner("batch/v1", "CronJob", "nightly", before),
				owner("batch/v1", "Job", "nightly-1", after, ownedBy("batch/v1", "CronJob", "nightly"))},
			admitted: true,
			reads:    []string{"Job team-a/nightly-1", "CronJob team-a/nightly"},
		},
		"a new Job": {
			controller: []metav1.OwnerReference{ownedBy("batch/v1", "Job", "once")},
			objects:    []client.Object{owner("batch/v1", "Job", "once", after)},
			reads:      []string{"Job team-a/once"},
		},
		"an old StatefulSet": {
			controller: []metav1.OwnerReference{ownedBy("apps/v1", "StatefulSet", "db")},
			objects:    []client.Object{owner("apps/v1", "StatefulSet", "db", before)},
			admitted:   true,
			reads:      []string{"StatefulSet team-a/db"},
		},
		"an owner that does not exist": {
			controller: []metav1.OwnerReference{ownedBy("apps/v1", "ReplicaSet", "web-1")},
			reads:      []string{"ReplicaSet team-a/web-1"},
		},
		"an owner with another UID": {
			controller: []metav1.OwnerReference{otherUID},
			objects:    []client.Object{owner("apps/v1", "ReplicaSet", "web-1", before)},
			reads:      []string{"ReplicaSet team-a/web-1"},
		},
		"an owner that is no controller": {
			controller: []metav1.OwnerReference{noController},
			objects:    []client.Object{owner("apps/v1", "ReplicaSet", "web-1", before)},
		},
		"a new ReplicaSet that claims an owner which does not exist": {
			controller: []metav1.OwnerReference{ownedBy("apps/v1", "ReplicaSet", "web-1")},
			objects:    []client.Object{owner("apps/v1", "ReplicaSet", "web-1", after, ownedBy("apps/v1", "Deployment", "gone"))},
			reads:      []string{"ReplicaSet team-a/web-1", "Deployment team-a/gone"},
		},
		"an old ReplicaSet whose Deployment is gone": {
			controller: []metav1.OwnerReference{ownedBy("apps/v1", "ReplicaSet", "web-1")},
			objects:    []client.Object{owner("apps/v1", "ReplicaSet", "web-1", before, ownedBy("apps/v1", "Deployment", "gone"))},
			admitted:   true,
			reads:      []string{"ReplicaSet team-a/web-1", "Deployment team-a/gone"},
		},
		"a kind that cannot be read": {
			controller: []metav1.OwnerReference{ownedBy("ray.io/v1", "RayCluster", "train")},
			admitted:   true,
		},
		"a new Job of a kind that cannot be read": { // as after a failure
			controller: []metav1.OwnerReference{ownedBy("batch/v1", "Job", "train-0")},
			objects:    []client.Object{owner("batch/v1", "Job", "train-0", after, ownedBy("jobset.x-k8s.io/v1alpha2", "JobSet", "train"))},
			admitted:   true,
			reads:      []string{"Job team-a/train-0"},
		},
		"owners in a circle": {
			controller: []metav1.OwnerReference{ownedBy("apps/v1", "ReplicaSet", "web-1")},
			objects:    []client.Object{owner("apps/v1", "ReplicaSet", "web-1", after, ownedBy("apps/v1", "ReplicaSet", "web-1"))},
			admitted:   true,
			reads:      []string{"ReplicaSet team-a/web-1", "ReplicaSet team-a/web-1", "ReplicaSet team-a/web-1", "ReplicaSet team-a/web-1"},
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			deleting := generic("team-a", "openai", "")
			deleting.DeletionTimestamp = &metav1.Time{Time: deletion}
			other := deleting.DeepCopy()
			other.Name, other.Status.Keys = "papers", nil
			f.know(namespace(systemNamespace, nil), project("team-a", ""), deleting, other)
			f.cluster.create(test.objects...)
			answer := f.admit("team-a", ownedPod(test.controller, "openai, papers"))
			if answer.response.Allowed != test.admitted {
				t.Errorf("answer: %s", answer.body)
			}
			if want := `annotation credence.dev/credentials: credential "openai" is being deleted and accepts no new workloads`; !test.admitted && answer.message() != want {
				t.Errorf("message %q, want %q", answer.message(), want)
			}
			if diff := cmp.Diff(test.reads, f.cluster.asked()); diff != "" {
				t.Errorf("owners read (-want +got):\n%s", diff)
			}
		})
	}
}

// An owner is read only if a credential that the pod wants is being deleted.
func TestOwnerIsReadOnlyWhenNeeded(t *testing.T) {
	f := newFixture(t)
	deleting := generic("team-a", "papers", "")
	deleting.DeletionTimestamp = &metav1.Time{Time: deletion}
	f.know(namespace(systemNamespace, nil), project("team-a", ""), generic("team-a", "openai", ""), deleting)
	answer := f.admit("team-a", ownedPod([]metav1.OwnerReference{ownedBy("apps/v1", "ReplicaSet", "web-1")}, "openai"))
	if reads := f.cluster.asked(); !answer.response.Allowed || len(reads) > 0 {
		t.Errorf("read %q for %s", reads, answer.body)
	}
}

// If the owner cannot be read now, the pod may be a replacement, and runs.
func TestOwnerCannotBeRead(t *testing.T) {
	for name, failing := range map[string]string{"the first": "ReplicaSet", "the second": "Deployment"} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			deleting := generic("team-a", "openai", "")
			deleting.DeletionTimestamp = &metav1.Time{Time: deletion}
			f.know(namespace(systemNamespace, nil), project("team-a", ""), deleting)
			f.cluster.create(owner("apps/v1", "ReplicaSet", "web-2", after, ownedBy("apps/v1", "Deployment", "web")))
			f.cluster.before = func(_ context.Context, what string) error {
				if strings.HasPrefix(what, failing) {
					return errors.New("forbidden")
				}
				return nil
			}
			answer := f.admit("team-a", ownedPod([]metav1.OwnerReference{ownedBy("apps/v1", "ReplicaSet", "web-2")}, "openai"))
			if !answer.response.Allowed {
				t.Errorf("refused: %s", answer.body)
			}
		})
	}
}

// Automatic pull secrets of a login that is being deleted: left out of new pods,
// and given to replacements.
func TestDeletingRegistryLogin(t *testing.T) {
	f := newFixture(t)
	deleting := registry("hub", "registry.example.com")
	deleting.DeletionTimestamp = &metav1.Time{Time: deletion}
	f.know(namespace(systemNamespace, nil), project("team-a", ""), deleting)
	f.cluster.create(owner("apps/v1", "StatefulSet", "old", before), owner("apps/v1", "StatefulSet", "new", after))
	for name, wanted := range map[string]bool{"old": true, "new": false} {
		answer := f.admitAt(webhook.PathPullSecrets, "team-a", ownedPod([]metav1.OwnerReference{ownedBy("apps/v1", "StatefulSet", name)}, ""))
		if !answer.response.Allowed || (len(answer.response.Patch) > 0) != wanted {
			t.Errorf("%s: %s", name, answer.body)
		}
	}
}

func ownedPod(controller []metav1.OwnerReference, credentials string) string {
	metadata := map[string]any{"generateName": "web-", "ownerReferences": controller}
	if credentials != "" {
		metadata["annotations"] = map[string]string{v1alpha1.AnnotationCredentials: credentials}
	}
	return string(marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
		"spec": map[string]any{"containers": []any{map[string]any{"name": "web", "image": "registry.example.com/web:1"}}},
	}))
}
