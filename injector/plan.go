// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"slices"

	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
)

// plan is what a pod will get: additions for each container, new volumes, and
// pull secrets. It merges grants, and knows what the pod already has.
type plan struct {
	request    *Request
	spec       *pod.Spec
	containers []containerPlan
	volumes    []pod.Volume // new ones
	pull       []string     // new ones
	record     Record
	warnings   warnings
}

// containerPlan is what one container gets. The pod's own part comes from
// Container; the other fields are additions.
type containerPlan struct {
	*pod.Container
	field string // of the list it stands in
	index int

	env     []ownedEnv
	envFrom []*grant
	mounts  []ownedMount
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
	path   string
	volume string
	mode   int32
	grant  *grant
	exists bool
}

func newPlan(request *Request) *plan {
	spec := request.Pod.Spec
	p := &plan{request: request, spec: spec, containers: make([]containerPlan, 0, len(spec.InitContainers)+len(spec.Containers))}
	for _, list := range spec.ContainerLists() {
		for i, container := range list.Containers {
			p.containers = append(p.containers, containerPlan{Container: container, field: list.Field, index: i})
		}
	}
	return p
}

// maxAdditions bounds the product of what is asked for and the containers that it
// is asked for, because a small document could otherwise ask for a large patch.
const maxAdditions = 10_000

// addGrants merges the grants into the plan, in their order.
func (p *plan) addGrants(grants []grant, wanted *annotation.Wanted) *Refusal {
	if len(grants)*len(p.containers) > maxAdditions {
		return refuse("", "the pod asks for %d things in %d containers, and at most %d in all are supported", len(grants), len(p.containers), maxAdditions)
	}
	if refusal := p.checkContainers(wanted.Containers); refusal != nil {
		return refusal
	}
	for i := range grants {
		g := &grants[i]
		if refusal := p.checkContainers(g.containers); refusal != nil {
			return refusal
		}
		if g.pullSecret {
			p.addNamedPullSecret(g.entry)
			continue
		}
		chosen := g.containers
		if chosen == nil {
			chosen = wanted.Containers
		}
		for j := range p.containers {
			if chosen != nil && !slices.Contains(chosen.Names, p.containers[j].Name) {
				continue
			}
			if refusal := p.give(&p.containers[j], g); refusal != nil {
				return refusal
			}
		}
	}
	return p.checkEnvFrom()
}

// give adds one grant to one container.
func (p *plan) give(container *containerPlan, g *grant) *Refusal {
	switch {
	case g.env != nil:
		return p.giveEnv(container, g)
	case g.envFrom:
		p.giveEnvFrom(container, g)
		return nil
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
