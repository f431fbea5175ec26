// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/controller/copies"
)

// sort tells a Credential's copies from those of others that have its name.
func (g *gatherer) sort(ctx context.Context, o *observation, all []copies.Copy, situation *copies.Situation) error {
	var orphans []copies.Copy
	for _, c := range all {
		switch {
		case c.CredentialUID == o.credential.UID:
			situation.Existing = append(situation.Existing, c)
		case c.Name == o.wanted.Name:
			known, err := g.Knows(ctx, c.CredentialUID)
			if err != nil {
				return err
			}
			if known || !o.inScope(c.Namespace) {
				situation.Others = append(situation.Others, c)
			} else {
				orphans = append(orphans, c)
			}
		}
	}
	return g.inherit(ctx, o, orphans, situation)
}

// inScope says whether a Credential is the one that its name means in a namespace.
func (o *observation) inScope(namespace string) bool {
	for _, p := range o.projects {
		if p.namespace == namespace {
			return p.shadowedBy == nil
		}
	}
	return false
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
