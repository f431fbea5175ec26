// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestForgedOwners: what no object can be called is nobody's workload, neither for the
// controller nor for the command, which prints it on a terminal. Nothing is asked about it.
func TestForgedOwners(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "web", UID: "web"}}
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "example.com/v1", Kind: "App\x1b[2J", Name: "shop", UID: "shop", Controller: new(true)}}
	for by, got := range map[string]Workload{
		"controller": (&doctor{}).top(pod),
		"command":    (&Cluster{owners: map[types.UID]Workload{}}).top(t.Context(), pod),
	} {
		if got != itself(pod) {
			t.Errorf("%s takes %+v for the workload", by, got)
		}
	}
}
