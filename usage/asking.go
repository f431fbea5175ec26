// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"cmp"
	"slices"
	"unique"

	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage/object"
)

// Asking is what live pods name in annotations that are alike in all that they refer
// to. It is good only while it is asked about.
type Asking struct {
	Namespace   string
	Credentials []string
	Assets      []Asset

	index *Index
	group *group
}

// Refers says whether the pods refer to a Secret.
func (a *Asking) Refers(secret string) bool {
	return uses(a.group.linkTo(a.index.names[object.ID{Kind: object.Secret, Namespace: a.Namespace, Name: secret}]))
}

// RefersToAny says whether the pods refer to any Secret at all.
func (a *Asking) RefersToAny() bool {
	return slices.ContainsFunc(a.group.links[:a.group.references], func(l link) bool { return l.to.Kind == object.Secret && uses(&l) })
}

// AskingPod is a live pod that names something in annotations.
type AskingPod struct {
	types.NamespacedName
	UID types.UID
	// Shape is another when the pod names or refers to something else.
	Shape unique.Handle[object.Shape]
}

// Asking returns the live pods that name a credential or an asset in annotations and
// of which a function says yes, sorted. It is asked once for all pods that are alike,
// and must not call the index.
func (x *Index) Asking(which func(*Asking) bool) []AskingPod {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var pods []AskingPod
	for shape, g := range x.groups {
		// What annotations name comes first among references.
		if g.Kind != object.Pod || g.references == 0 || !isNamed(g.links[0].to.Kind) {
			continue
		}
		asking := x.askingOf(g)
		if len(asking.Credentials)+len(asking.Assets) == 0 || !which(asking) {
			continue
		}
		for _, h := range g.members {
			pods = append(pods, AskingPod{types.NamespacedName{Namespace: g.Namespace, Name: h.Name}, h.UID, shape})
		}
	}
	slices.SortFunc(pods, func(a, b AskingPod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return pods
}

func (x *Index) askingOf(g *group) *Asking {
	asking := &Asking{Namespace: g.Namespace, index: x, group: g}
	for i := range g.links[:g.references] {
		switch l := &g.links[i]; {
		case !uses(l): // only the record of an injection says so
		case l.to.Kind == object.Credential:
			asking.Credentials = append(asking.Credentials, l.to.Name)
		case object.IsAsset(l.to.Kind):
			asking.Assets = append(asking.Assets, Asset{l.to.Kind.Value().Kind, l.to.Name})
		}
	}
	return asking
}
