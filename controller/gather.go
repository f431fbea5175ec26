// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/strays"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
)

// observation is all that a pass knows about a Credential. Its status is computed
// from nothing else.
type observation struct {
	credential *v1alpha1.Credential
	now        time.Time
	// facts are what the source tells, problem why there are none.
	facts   credential.Facts
	problem *credential.Problem
	// made says that the source was made together with the Credential, and goes with it.
	made bool
	// projects are the namespaces in scope, sorted.
	projects []project
	// layout says which labels make projects and departments.
	layout credential.Layout
	// tally is who uses the credential, nil while that is not known.
	tally *users.Tally
	// wanted and steps are what is to be done about copies; report is what came of
	// it.
	wanted copies.Wanted
	steps  []copies.Step
	report copies.Report
	// leavers are the issues of namespaces that left the scope and still need it.
	leavers []v1alpha1.NamespaceIssue
	// last is what became of scope and source of a Credential that is being deleted: its
	// problem, projects, and what its copies would be.
	last *observation
	// held says that the Credential is being deleted and its copies stay.
	held bool
}

// project is a namespace in a Credential's scope.
type project struct {
	namespace string
	// shadowedBy is the narrower credential of this name that is used here instead.
	shadowedBy *types.NamespacedName
	// terminating says that the namespace is being deleted. It is not to have a
	// copy any more, and the one that it has goes with it.
	terminating bool
	// unused says that the namespace gets no copy, on demand, because nothing there
	// uses the credential.
	unused bool
}

// hasCopies says whether copies are made at all. Pods of a project use the source
// of its credentials itself.
func (o *observation) hasCopies() bool {
	return o.credential.Spec.Scope.Level != v1alpha1.ScopeProject
}

// project returns what is known of a namespace in scope.
func (o *observation) project(namespace string) (project, bool) {
	at, ok := slices.BinarySearchFunc(o.projects, namespace, func(p project, name string) int { return strings.Compare(p.namespace, name) })
	if !ok {
		return project{}, false
	}
	return o.projects[at], true
}

// gatherer does all the reading of a pass.
type gatherer struct {
	lookup.Cluster
	catalog *catalog.Catalog
	clock   clock.PassiveClock
	keyring *copies.Keyring
	kept    *strays.Kept
	users   *users.Counter
	leavers *leavers
}

func (g *gatherer) observe(ctx context.Context, c *v1alpha1.Credential) (*observation, error) {
	o := &observation{credential: c, now: g.clock.Now(), layout: g.catalog.Layout()}
	if err := g.examine(ctx, o); err != nil {
		return nil, err
	}
	if err := g.survey(ctx, o); err != nil {
		return nil, err
	}
	if err := g.plan(ctx, o); err != nil {
		return nil, err
	}
	return o, nil
}

// examine reads the source and decides whether it may be one.
func (g *gatherer) examine(ctx context.Context, o *observation) error {
	c := o.credential
	home, _ := g.catalog.Place(c.Namespace)
	candidate := credential.Candidate{Credential: c, Home: home, Layout: g.catalog.Layout()}
	if home.HoldsCredentials() { // else nobody's Secret there is any business of ours
		secret, err := g.Source(ctx, types.NamespacedName{Namespace: c.Namespace, Name: c.Spec.SecretRef.Name})
		if err != nil {
			return err
		}
		candidate.Secret = secret
		o.made = isMadeFor(secret, c)
		if candidate.Owner, err = g.ownerOf(ctx, candidate); err != nil {
			return err
		}
	}
	o.facts, o.problem = credential.Examine(candidate)
	o.wanted = copies.Wanted{
		Credential:  client.ObjectKeyFromObject(c),
		UID:         c.UID,
		Name:        o.facts.KubernetesName,
		Fingerprint: c.Status.Fingerprint,
	}
	if o.problem == nil {
		return g.fill(ctx, o, candidate.Secret.Data)
	}
	return nil
}

// fill completes what is wanted, once the source is known to be one.
func (g *gatherer) fill(ctx context.Context, o *observation, values map[string][]byte) error {
	fingerprint, err := g.keyring.Fingerprint(ctx, o.wanted.Credential, values)
	if err != nil {
		return err
	}
	o.wanted = o.wanted.Fill(values, fingerprint)
	if definition, ok := credential.DefinitionOf(o.credential.Spec.Type); ok {
		o.wanted.Type = definition.CopyType
	}
	return nil
}

func isMadeFor(source *corev1.Secret, c *v1alpha1.Credential) bool {
	return source != nil && source.Labels[v1alpha1.LabelSourceOf] == c.Name
}

// ownerOf returns the older Credential that has the same source, if there is one: of
// those that are entitled to it, which an older one may not be. A source that was made
// for this one has no other owner, whoever refers to it.
func (g *gatherer) ownerOf(ctx context.Context, candidate credential.Candidate) (*v1alpha1.Credential, error) {
	c := candidate.Credential
	if candidate.Secret == nil || isMadeFor(candidate.Secret, c) {
		return nil, nil
	}
	rivals, err := g.Credentials(ctx, client.InNamespace(c.Namespace), client.MatchingFields{lookup.IndexSource: c.Spec.SecretRef.Name})
	if err != nil {
		return nil, err
	}
	owner := c
	for i := range rivals {
		rival := candidate
		if rival.Credential = &rivals[i]; older(rival.Credential, owner) && credential.Entitled(rival) {
			owner = rival.Credential
		}
	}
	if owner.UID == c.UID {
		return nil, nil
	}
	return owner, nil
}

func older(a, b *v1alpha1.Credential) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.Name < b.Name
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

// survey finds the projects in scope.
func (g *gatherer) survey(ctx context.Context, o *observation) error {
	terminating, err := g.Terminating(ctx)
	if err != nil {
		return err
	}
	self := client.ObjectKeyFromObject(o.credential)
	reach := g.catalog.Reach(o.credential.Spec.Scope, self.Namespace)
	o.projects = make([]project, 0, len(reach))
	for _, place := range reach {
		p := project{namespace: place.Namespace, terminating: terminating[place.Namespace]}
		// The narrower one wins for copies too: of one name and type, both would have
		// the same name in this namespace.
		if winner, ok := g.catalog.Lookup(place, self.Name); ok && winner.NamespacedName != self {
			p.shadowedBy = &winner.NamespacedName
		}
		o.projects = append(o.projects, p)
	}
	return nil
}

// plan compares the projects with the copies that are there.
func (g *gatherer) plan(ctx context.Context, o *observation) error {
	if !o.hasCopies() {
		return nil
	}
	all, err := g.CopiesOf(ctx, o.credential.Name)
	if err != nil {
		return err
	}
	situation := copies.Situation{Wanted: o.wanted, Existing: make([]copies.Copy, 0, len(all))}
	if err := g.sort(ctx, o, all, &situation); err != nil {
		return err
	}
	if o.leavers, err = g.leavers.find(ctx, o.credential, situation.Existing); err != nil {
		return err
	}
	g.leaveOut(o, situation.Existing)
	if o.problem == nil || !o.problem.Withdraws() {
		for _, p := range o.projects {
			switch {
			case p.shadowedBy != nil, p.unused:
			case p.terminating:
				situation.Retained = append(situation.Retained, p.namespace)
			default:
				situation.Desired = append(situation.Desired, p.namespace)
			}
		}
	}
	o.steps = copies.Plan(situation)
	g.exempt(o)
	return nil
}
