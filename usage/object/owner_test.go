// SPDX-License-Identifier: Apache-2.0

package object

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestForgedOwners: what no object is called is nobody's name, however long it is. The
// pod then counts as one that nothing controls.
func TestForgedOwners(t *testing.T) {
	reference := func(apiVersion, kind, name, uid string) metav1.OwnerReference {
		return metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID(uid), Controller: new(true)}
	}
	const uid = "b1d5c5a8-7c5f-4a86-9d3b-000000000000"
	for name, test := range map[string]struct {
		reference metav1.OwnerReference
		taken     bool
	}{
		"a workload":           {reference("apps/v1", "ReplicaSet", "web-5d4f", uid), true},
		"of the core":          {reference("v1", "ReplicationController", "web", uid), true},
		"the longest there is": {reference(strings.Repeat("g", 253)+"/"+strings.Repeat("v", 63), strings.Repeat("K", 63), strings.Repeat("n", 253), uid), true},
		"a role's name":        {reference("example.com/v1", "App", "system:web", uid), true},
		"no controller":        {metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: uid}, false},
		"a long kind":          {reference("apps/v1", strings.Repeat("K", 64), "web", uid), false},
		"a long name":          {reference("apps/v1", "ReplicaSet", strings.Repeat("n", 254), uid), false},
		"a long version":       {reference("apps/"+strings.Repeat("v", 400), "ReplicaSet", "web", uid), false},
		"a long UID":           {reference("apps/v1", "ReplicaSet", "web", strings.Repeat("u", 65)), false},
		"lines":                {reference("apps/v1", "ReplicaSet", "web\nall is well", uid), false},
		"a terminal's words":   {reference("apps/v1", "Replica\x1b[2JSet", "web", uid), false},
		"words":                {reference("apps/v1", "ReplicaSet", "web, which is not in use", uid), false},
		"another direction":    {reference("apps/v1", "ReplicaSet", "web\u202e", uid), false},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{test.reference}}}
			if got := Controller(pod); (got != nil) != test.taken {
				t.Errorf("it is taken for %v", got)
			}
			read, _ := Read(pod)
			if got := read.Shape.Value().Owner; (got != Owner{}) != test.taken {
				t.Errorf("the index takes it for %+v", got)
			}
		})
	}
}
