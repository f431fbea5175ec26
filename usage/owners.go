// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage/object"
)

// maxOwners bounds how far owners are followed: anybody may write references in a
// circle.
const maxOwners = 16

// top goes up the controllers of a group. It returns the last reference, and what
// that leads to, nil where it is not followed.
func (x *Index) top(g *group) (object.Owner, *held) {
	for range maxOwners {
		h := x.find(g.Namespace, g.Owner)
		if h == nil {
			return g.Owner, nil
		}
		if h.group.Owner == (object.Owner{}) {
			return g.Owner, h
		}
		g = h.group
	}
	return g.Owner, nil
}

// Top returns the workload at the top of those that control what has a reference to
// its controller, as far as they are followed.
func (x *Index) Top(namespace string, controller metav1.OwnerReference) Workload {
	x.mu.RLock()
	defer x.mu.RUnlock()
	kind := schema.FromAPIVersionAndKind(controller.APIVersion, controller.Kind).GroupKind()
	top := object.Owner{APIVersion: controller.APIVersion, Kind: unique.Make(kind), Name: controller.Name, UID: controller.UID}
	if h := x.find(namespace, top); h != nil && h.group.Owner != (object.Owner{}) {
		top, _ = x.top(h.group)
	}
	return Workload{top.APIVersion, top.Kind.Value().Kind, types.NamespacedName{Namespace: namespace, Name: top.Name}, top.UID}
}
