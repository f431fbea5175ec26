// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/workload"
)

// Follower follows kinds of workload. Package usage has one.
type Follower interface {
	// Add has a kind followed, or followed otherwise than before.
	Add(kind workload.Kind) error
	// Remove has a kind followed no longer.
	Remove(kind schema.GroupKind)
}

// followed has a follower follow what WorkloadKinds tell of, on standbys too: the next
// leader must know at once who uses what. Whether the kind is there, and may be read,
// shows when it is tried.
type followed struct {
	claims   *workload.Registry
	follower Follower
}

func (f *followed) handler() toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { f.set(object) },
		UpdateFunc: func(_, object any) {
			f.set(object)
		},
		DeleteFunc: func(object any) {
			if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			if told, ok := object.(*v1alpha1.WorkloadKind); ok {
				f.claims.Remove(told.Name)
				f.follow(told)
			}
		},
	}
}

func (f *followed) set(object any) {
	told, ok := object.(*v1alpha1.WorkloadKind)
	if !ok {
		return
	}
	kind, err := workload.Read(&told.Spec)
	if err != nil {
		f.claims.Remove(told.Name) // the status says why
	} else {
		f.claims.Set(workload.Claim{Name: told.Name, Created: told.CreationTimestamp.Time, Kind: kind})
	}
	f.follow(told)
}

// follow brings the following of one kind in line with the claims to it.
func (f *followed) follow(told *v1alpha1.WorkloadKind) {
	if _, builtIn := workload.KindOf(told.Spec.APIVersion, told.Spec.Kind); builtIn {
		return
	}
	gv, err := schema.ParseGroupVersion(told.Spec.APIVersion)
	if err != nil {
		return
	}
	claim, held := f.claims.Holder(gv.Group, told.Spec.Kind)
	if !held {
		f.follower.Remove(schema.GroupKind{Group: gv.Group, Kind: told.Spec.Kind})
		return
	}
	_ = f.follower.Add(claim.Kind) // fails without a mapper only, which Setup was given
}
