// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
)

// sort tells a Credential's copies from those of others that have its name.
func (g *gatherer) sort(ctx context.Context, o *observation, all []copies.Copy, situation *copies.Situation) error {
	var orphans []copies.Copy
	for _, c := range all {
		switch {
		case c.CredentialUID == o.credential.UID:
			situation.Existing = append(situation.Existing, c)
		case c.Name == o.wanted.Name:
			owner, err := g.ownedBy(ctx, c)
			if err != nil {
				return err
			}
			switch {
			case !o.inScope(c.Namespace):
				situation.Others = append(situation.Others, c)
			case owner == nil:
				orphans = append(orphans, c)
			case o.problem == nil && owner.Annotations[v1alpha1.AnnotationForceDelete] != forceKeep:
				// The other one is shadowed here. Pods that have its copy are not to be without
				// in between, so it is taken over and not waited for.
				situation.Existing = append(situation.Existing, c)
			default:
				situation.Others = append(situation.Others, c)
			}
		}
	}
	return g.inherit(ctx, o, orphans, situation)
}

// ownedBy returns the Credential of a copy, nil if there is none.
func (g *gatherer) ownedBy(ctx context.Context, c copies.Copy) (*v1alpha1.Credential, error) {
	list, err := g.Credentials(ctx, client.MatchingFields{lookup.IndexUID: string(c.CredentialUID)})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// inScope says whether a Credential is the one that its name means in a namespace.
func (o *observation) inScope(namespace string) bool {
	p, ok := o.project(namespace)
	return ok && p.shadowedBy == nil
}

// inherit gives a Credential the copies in its scope that one of its name left
// behind: Credentials that come back from a backup or a repository have other
// UIDs, and their workloads are to keep what they have. The API server's word
// counts, for the cache may not know yet of one that shadows this one.
func (g *gatherer) inherit(ctx context.Context, o *observation, orphans []copies.Copy, situation *copies.Situation) error {
	if len(orphans) == 0 {
		return nil
	}
	existing, err := g.NamesNow(ctx, client.MatchingFields{"metadata.name": o.credential.Name})
	if err != nil {
		return err
	}
	keep, err := g.kept.Names(ctx)
	if err != nil {
		return err
	}
	for _, c := range orphans {
		// What is to stay as an ordinary Secret is not this one's either, and waited for
		// until it is one.
		_, stays := keep[c.CredentialUID]
		if _, exists := existing[c.CredentialUID]; stays || exists {
			situation.Others = append(situation.Others, c)
		} else {
			situation.Existing = append(situation.Existing, c)
		}
	}
	return nil
}
