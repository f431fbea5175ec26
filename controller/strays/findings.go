// SPDX-License-Identifier: Apache-2.0

package strays

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
)

// findings are the copies that there are, as a session finds them.
type findings struct {
	all []copies.Copy
	// known are the Credentials that the cache has.
	known sets.Set[types.UID]
	// orphans are those whose Credential the cache does not have, other than those
	// that another Credential takes over.
	orphans []copies.Copy
	// kept are the orphans that are to stay, by the Credential that said so, each of
	// which is there even if it has none.
	kept map[types.UID][]copies.Copy
	// names are the Credentials that are written down as such, also those that still
	// exist.
	names map[types.UID]string
}

// sort finds the copies and tells them apart.
func (r *remover) sort(ctx context.Context) (findings, error) {
	all, err := r.Copies(ctx)
	if err != nil {
		return findings{}, err
	}
	known, err := r.UIDs(ctx)
	if err != nil {
		return findings{}, err
	}
	found := findings{all: all, known: known, kept: map[types.UID][]copies.Copy{}}
	isOrphan := func(c copies.Copy) bool { return !known.Has(c.CredentialUID) }
	if slices.ContainsFunc(all, isOrphan) || r.kept.mayHave() {
		if found.names, err = r.kept.Names(ctx); err != nil {
			return findings{}, err
		}
	}
	for uid := range found.names {
		if !known.Has(uid) {
			found.kept[uid] = nil
		}
	}
	for _, c := range all {
		if _, stays := found.kept[c.CredentialUID]; stays {
			found.kept[c.CredentialUID] = append(found.kept[c.CredentialUID], c)
		} else if isOrphan(c) && !r.adopted(c) {
			found.orphans = append(found.orphans, c)
		}
	}
	r.writer.ForgetOthers(known.Union(sets.KeySet(found.kept)).Insert(strayUID))
	return found, nil
}

// adopted says whether the copy of a gone Credential is the business of another
// one of its name, which takes it over or withdraws it: see inherit in package
// controller.
func (r *remover) adopted(c copies.Copy) bool {
	place, known := r.catalog.Place(c.Namespace)
	if !known || !place.IsProject() {
		return false
	}
	heir, ok := r.catalog.Lookup(place, c.CredentialName)
	return ok && heir.Scope.Level != v1alpha1.ScopeProject && heir.KubernetesName == c.Name && heir.DeletedAt == nil
}
