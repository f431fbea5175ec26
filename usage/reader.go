// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"cmp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage/object"
)

// IsOutdated says whether a pod has values from before a change. One that started
// in the same second counts too: times are told in seconds, and a kubelet may have
// had the old values for a moment longer.
func (r Reader) IsOutdated(changed time.Time) bool {
	return !r.StartedAt.IsZero() && !r.StartedAt.After(changed)
}

// Readers returns the live pods that read a credential through environment
// variables, sorted by namespace and name.
func (x *Index) Readers(q Query) []Reader {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var readers []Reader
	for _, namespace := range slices.Compact(slices.Sorted(slices.Values(q.Namespaces))) {
		m := x.names[object.ID{Kind: object.Secret, Namespace: namespace, Name: q.Secret}]
		if m == nil {
			continue
		}
		for _, l := range m.by {
			if l.readers != 0 && l.from.Kind == object.Pod {
				readers = x.readersIn(l.from, l.readers, readers)
			}
		}
	}
	slices.SortFunc(readers, func(a, b Reader) int {
		return cmp.Or(cmp.Compare(a.Pod.Namespace, b.Pod.Namespace), cmp.Compare(a.Pod.Name, b.Pod.Name))
	})
	return readers
}

func (x *Index) readersIn(g *group, containers uint64, readers []Reader) []Reader {
	rolls := x.roller(g)
	for _, h := range g.members {
		reader := Reader{Pod: types.NamespacedName{Namespace: g.Namespace, Name: h.Name}, Workload: rolls}
		if started := h.Started.Earliest(containers); started != 0 {
			reader.StartedAt = time.Unix(int64(started), 0).UTC()
		}
		readers = append(readers, reader)
	}
	return readers
}

// roller returns the nearest owner that replaces its pods when its template
// changes.
func (x *Index) roller(g *group) Workload {
	for range maxOwners {
		if g.Owner == (object.Owner{}) {
			break
		}
		if kind := g.Owner.Kind.Value(); kind.Group == appsv1.GroupName &&
			(kind.Kind == "Deployment" || kind.Kind == "StatefulSet" || kind.Kind == "DaemonSet") {
			name := types.NamespacedName{Namespace: g.Namespace, Name: g.Owner.Name}
			return Workload{g.Owner.APIVersion, kind.Kind, name, g.Owner.UID}
		}
		h := x.find(g.Namespace, g.Owner)
		if h == nil {
			break
		}
		g = h.group
	}
	return Workload{}
}
