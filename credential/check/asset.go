// SPDX-License-Identifier: Apache-2.0

// Package check says what is wrong with an asset: whether it is where its scope
// belongs, whether what it refers to can be had from there, and whether two things
// in it want one variable or one path.
//
// It is pure, like package credential.
package check

import (
	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
)

// Catalog answers what a name inside an asset means. *catalog.Catalog is one.
type Catalog interface {
	Layout() credential.Layout
	Place(namespace string) (credential.Place, bool)
	Lookup(from credential.Place, name string) (*catalog.Entry, bool)
	LookupAsset(kind asset.Kind, from credential.Place, name string) (*asset.Asset, bool)
	Visible(from credential.Place) []string
	VisibleAssets(kind asset.Kind, from credential.Place) []string
	// Narrower returns an object that covers a part of an extent only.
	Narrower(kind asset.Kind, extent credential.Extent, name string) (catalog.Claim, bool)
}

// Fault is one thing that is wrong with an asset.
type Fault struct {
	// Reason is a Reason… constant of the condition Ready of an asset.
	Reason string
	// Field of the asset's object that is at fault, such as "spec.env[0].credential".
	Field string
	// Problem is one sentence without the field. It names objects, variables and
	// paths, never values, is stable, and tells of nothing outside the asset's extent.
	Problem string
	// Waits says that it may become right while the asset stays as it is: what it
	// refers to is not there yet, or is to be mended itself.
	Waits bool
	// Of are the credentials, as they are now, that the fault follows from where it
	// does not wait.
	Of []*catalog.Entry
}

// Error is the whole sentence: the field and what is wrong.
func (f *Fault) Error() string { return f.Field + ": " + f.Problem }

// Asset returns what is wrong with an asset, in the order of its fields; nothing if
// all that it needs can be had in every project of its scope. An asset that is not
// where its scope belongs has that fault alone.
func Asset(known Catalog, a *asset.Asset) []Fault {
	extent := extentOf(known, a)
	if problem := credential.Misplaced(a.Kind.Word(), a.Namespace, extent, known.Layout()); problem != nil {
		return []Fault{{Reason: problem.Reason, Field: "metadata.namespace", Problem: problem.Message, Waits: true}}
	}
	i := &inspection{known: known, extent: extent, from: extent.Inside(), wants: &wants{variables: map[string]*want{}}}
	i.look(a)
	i.settle()
	return i.faults
}

func extentOf(known Catalog, a *asset.Asset) credential.Extent {
	home, _ := known.Place(a.Namespace)
	return credential.Extent{Scope: a.Scope, Home: home}
}

// inspection is what is found out about one asset.
type inspection struct {
	known  Catalog
	extent credential.Extent
	from   credential.Place
	faults []Fault
	// wants are those of the asset and of all that it refers to.
	wants *wants
	// outer is the inspection of the asset that refers to this one, nil if none does,
	// field where it does so, and name what this one is called there.
	outer       *inspection
	field, name string
}

func (i *inspection) add(fault Fault) { i.faults = append(i.faults, fault) }

func (i *inspection) look(a *asset.Asset) {
	switch a.Kind {
	case asset.Environment:
		i.env(a.Environment.Env)
		i.credentials(a.Environment.Credentials)
	case asset.DataSource:
		i.source(a.DataSource)
	case asset.WorkloadTemplate:
		i.template(a.Template)
	}
}

func (i *inspection) template(spec *v1alpha1.WorkloadTemplateSpec) {
	if spec.Environment != "" {
		i.asset("spec.environment", asset.Environment, string(spec.Environment))
	}
	for n, name := range spec.DataSources {
		i.asset(item("spec.dataSources", n), asset.DataSource, string(name))
	}
	i.credentials(spec.Credentials)
	i.env(spec.Env)
	for n := range spec.Mounts {
		i.mount(item("spec.mounts", n), &spec.Mounts[n])
	}
}

// asset looks at an asset that this one refers to. What is wrong with it is one
// fault here, which is mended there.
func (i *inspection) asset(field string, kind asset.Kind, name string) {
	a, ok := i.known.LookupAsset(kind, i.from, name)
	if !ok {
		i.missing(field, kind, name, i.known.VisibleAssets(kind, i.from))
		return
	}
	if a.DeletedAt != nil {
		i.notReady(field, "%s is being deleted", a)
		return
	}
	extent := extentOf(i.known, a)
	inner := &inspection{known: i.known, extent: extent, from: extent.Inside(), wants: i.wants, outer: i, field: field, name: a.String()}
	inner.look(a)
	if len(inner.faults) > 0 {
		i.notReady(field, "%s is at fault: %s", a, inner.faults[0].Error())
	}
}
