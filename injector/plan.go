// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"slices"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/remark"
	"github.com/credence-dev/credence/injector/search"
)

// plan is what a pod will get: additions for each container, new volumes, and
// pull secrets. It merges grants, and knows what the pod already has.
type plan struct {
	request    *Request
	spec       *pod.Spec
	containers []containerPlan
	volumes    volumes
	pull       search.Set[string] // new ones
	ownPull    search.Index[pod.LocalReference]
	fetchers   []*fetcher
	record     remark.Recorder
	warnings   remark.Warnings
}

// containerPlan is what one container gets. The pod's own part comes from
// Container; the other fields are additions.
type containerPlan struct {
	*pod.Container
	field string // of the list it stands in
	index int

	// environment takes the place of the container's image; nil if it has one.
	environment *v1alpha1.EnvironmentSpec

	env     search.Set[ownedEnv]
	envFrom []*grant
	mounts  []ownedMount
	paths   search.Paths // of mounts

	// What the container has, to search in. The trees are made when they are needed.
	ownEnv           search.Index[pod.EnvVar]
	mounted, devices search.Tree
	hasTrees         bool
}

// ownedEnv is a wanted variable with the grant that wants it. The container may
// have it already.
type ownedEnv struct {
	*pod.EnvVar
	grant  *grant
	exists bool
}

// ownedMount is a wanted mount, likewise.
type ownedMount struct {
	volume string
	mode   int32
	grant  *grant
	exists bool
}

// newPlan makes the plan for a pod. Fetchers that it has already are none of its
// containers: nothing is injected into them.
func newPlan(request *Request, fetchers []*fetcher) (*plan, *Refusal) {
	spec := request.Pod.Spec
	p := &plan{
		request: request, spec: spec, fetchers: fetchers,
		containers: make([]containerPlan, 0, len(spec.InitContainers)+len(spec.Containers)),
		volumes:    newVolumes(spec.Volumes),
		pull:       search.NewSet(func(name *string) string { return *name }),
		ownPull:    search.NewIndex(spec.ImagePullSecrets, func(r *pod.LocalReference) string { return r.Name }),
	}
	if refusal := claim(fetchers, spec, &p.volumes); refusal != nil {
		return nil, refusal
	}
	for _, list := range spec.ContainerLists() {
		for i, container := range list.Containers {
			if slices.ContainsFunc(fetchers, func(f *fetcher) bool { return f.existing == container }) {
				continue
			}
			p.containers = append(p.containers, containerPlan{
				Container: container, field: list.Field, index: i,
				env:    search.NewSet(func(v *ownedEnv) string { return v.Name }),
				ownEnv: search.NewIndex(container.Env, func(v *pod.EnvVar) string { return v.Name }),
			})
		}
	}
	return p, nil
}

// Bounds of what a pod may ask for in all its containers, because a small document
// could otherwise ask for a large patch.
const (
	// maxAdditions bounds the product of what is asked for and the containers.
	maxAdditions = annotation.MaxWanted
	// maxText bounds the bytes of names and paths, in all containers. The largest object
	// that etcd takes by default has 1.5 MiB.
	maxText = 2 << 20
)

func (p *plan) checkSize(grants []grant) *Refusal {
	if len(grants)*len(p.containers) > maxAdditions {
		return refuse(mostly(grants), "the pod asks for %d things in %d containers, and at most %d in all are supported", len(grants), len(p.containers), maxAdditions)
	}
	text := 0
	for i := range grants {
		text += len(grants[i].what)
		if grants[i].env != nil {
			text += len(grants[i].env.Value)
		}
	}
	if text > maxText/max(len(p.containers), 1) {
		return refuse(mostly(grants), "the pod asks for %d bytes of names and paths in %d containers, and at most %d in all are supported", text, len(p.containers), maxText)
	}
	return nil
}

// mostly returns the annotation that most of the grants come from, empty if none asks
// for more than half of them.
func mostly(grants []grant) string {
	count := map[string]int{}
	for i := range grants {
		key := grants[i].annotation
		if count[key]++; 2*count[key] > len(grants) {
			return key
		}
	}
	return ""
}

// addAll merges everything that was resolved into the plan.
func (p *plan) addAll(r *resolver, wanted *annotation.Wanted) *Refusal {
	for _, part := range r.parts {
		p.record.Add(part.of, part.name)
	}
	if refusal := p.addGrants(r.grants, wanted); refusal != nil {
		return refusal
	}
	return p.setEnvironments(r.environments)
}

// addGrants merges the grants into the plan, in their order.
func (p *plan) addGrants(grants []grant, wanted *annotation.Wanted) *Refusal {
	if refusal := p.checkSize(grants); refusal != nil {
		return refusal
	}
	if refusal := p.checkContainers(wanted.Containers); refusal != nil {
		return refusal
	}
	p.addFetchers()
	for i := range grants {
		if refusal := p.addGrant(&grants[i], wanted.Containers); refusal != nil {
			return refusal.inLine(grants[i].line)
		}
	}
	return p.checkEnvFrom()
}

// addGrant gives to the containers that are chosen for it, else to those that are for
// all.
func (p *plan) addGrant(g *grant, chosen *annotation.Containers) *Refusal {
	if refusal := p.checkContainers(g.containers); refusal != nil {
		return refusal
	}
	if g.pullSecret {
		p.addNamedPullSecret(g)
		return nil
	}
	if g.containers != nil {
		chosen = g.containers
	}
	for i := range p.containers {
		if chosen != nil && !slices.Contains(chosen.Names, p.containers[i].Name) {
			continue
		}
		if refusal := p.give(&p.containers[i], g); refusal != nil {
			return refusal
		}
	}
	return nil
}

// note records what a grant became: of the credential, and of the asset.
func (p *plan) note(g *grant, what string) {
	if g.entry != nil {
		p.record.Add(g.entry.Name, what)
	}
	if g.asset != nil {
		p.record.Add(g.recorded, what)
	}
}

// give adds one grant to one container.
func (p *plan) give(container *containerPlan, g *grant) *Refusal {
	switch {
	case g.env != nil:
		return p.giveEnv(container, g)
	case g.envFrom:
		p.giveEnvFrom(container, g)
		return nil
	case g.fetched != nil:
		return p.giveData(container, g)
	default:
		return p.giveMount(container, g)
	}
}

// checkContainers refuses a choice that names a container which is not there.
func (p *plan) checkContainers(chosen *annotation.Containers) *Refusal {
	if chosen == nil {
		return nil
	}
	for _, name := range chosen.Names {
		if slices.ContainsFunc(p.containers, func(c containerPlan) bool { return c.Name == name }) {
			continue
		}
		names := make([]string, 0, len(p.containers))
		for i := range p.containers {
			names = append(names, p.containers[i].Name)
		}
		return refuse(chosen.Annotation, "the pod has no container %s%s", annotation.Quote(name), annotation.Nearest(name, names))
	}
	return nil
}
