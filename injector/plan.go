// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"slices"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/annotation"
)

// plan is what a pod will get: additions for each container, new volumes, and
// pull secrets. It merges grants, and knows what the pod already has.
type plan struct {
	request    *Request
	spec       *PodSpec
	containers []containerPlan
	volumes    []Volume // new ones
	pull       []string // new ones
	record     Record
	warnings   warnings
}

// containerPlan is what one container gets. The pod's own part comes from
// Container; the other fields are additions.
type containerPlan struct {
	*Container
	field string // of the list it stands in
	index int

	env     []ownedEnv
	envFrom []*grant
	mounts  []ownedMount
}

// ownedEnv is a wanted variable with the grant that wants it. The container may
// have it already.
type ownedEnv struct {
	*EnvVar
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
	for _, list := range spec.lists() {
		for i, container := range list.containers {
			p.containers = append(p.containers, containerPlan{Container: container, field: list.field, index: i})
		}
	}
	return p
}

// addGrants merges the grants into the plan, in their order.
func (p *plan) addGrants(grants []grant, wanted *annotation.Wanted) *Refusal {
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
		return refuse(chosen.Annotation, "the pod has no container %q%s", name, annotation.Nearest(name, names))
	}
	return nil
}

// giveEnv adds a variable. The pod's own wins over ours, and two of ours may not
// differ.
func (p *plan) giveEnv(container *containerPlan, g *grant) *Refusal {
	for _, other := range container.env {
		if other.Name != g.env.Name {
			continue
		}
		if *other.ValueFrom.SecretKeyRef == *g.env.ValueFrom.SecretKeyRef {
			return nil
		}
		return refuse(g.annotation, "variable %s of container %q is wanted from credential %q key %s and from credential %q key %s",
			g.env.Name, container.Name,
			other.grant.entry.Name, other.ValueFrom.SecretKeyRef.Key, g.entry.Name, g.env.ValueFrom.SecretKeyRef.Key)
	}
	exists := false
	for i := range container.Env {
		if container.Env[i].Name != g.env.Name {
			continue
		}
		if !sameSource(&container.Env[i], g.env) {
			p.warnings.add("container %q already sets variable %s, which is kept instead of credential %q", container.Name, g.env.Name, g.entry.Name)
			p.record.skipped(g.entry.Name, "env "+g.env.Name, container.Name)
			return nil
		}
		exists = true
	}
	container.env = append(container.env, ownedEnv{EnvVar: g.env, grant: g, exists: exists})
	p.record.add(g.entry.Name, "env "+g.env.Name)
	return nil
}

func sameSource(existing, wanted *EnvVar) bool {
	return existing.ValueFrom != nil && existing.ValueFrom.SecretKeyRef != nil &&
		*existing.ValueFrom.SecretKeyRef == *wanted.ValueFrom.SecretKeyRef
}

// giveEnvFrom adds all keys as variables.
func (p *plan) giveEnvFrom(container *containerPlan, g *grant) {
	if slices.ContainsFunc(container.envFrom, func(other *grant) bool { return other.entry == g.entry }) {
		return
	}
	container.envFrom = append(container.envFrom, g)
	p.record.add(g.entry.Name, "envFrom")
}

func (c *containerPlan) hasEnvFrom(kubernetesName string) bool {
	return slices.ContainsFunc(c.EnvFrom, func(source EnvFromSource) bool {
		return source.Prefix == "" && source.SecretRef != nil && source.SecretRef.Name == kubernetesName
	})
}

// checkEnvFrom refuses two credentials that set one variable where at least one
// of them sets all its keys. The pod's own variables win, as Kubernetes has it.
func (p *plan) checkEnvFrom() *Refusal {
	for i := range p.containers {
		container := &p.containers[i]
		for n, g := range container.envFrom {
			for _, key := range g.entry.Keys {
				if other := container.otherSetter(g.entry, n, key.Key); other != "" {
					return refuse(g.annotation, "variable %s of container %q is wanted from credential %q and from credential %q",
						key.Key, container.Name, other, g.entry.Name)
				}
				if container.setsItself(key.Key) {
					p.warnings.add("container %q already sets variable %s, which is kept instead of credential %q", container.Name, key.Key, g.entry.Name)
				}
			}
		}
	}
	return nil
}

// otherSetter returns the name of another credential that sets a variable, among
// the single variables and the first n of those that set all their keys.
func (c *containerPlan) otherSetter(entry *catalog.Entry, n int, variable string) string {
	for _, earlier := range c.envFrom[:n] {
		for _, key := range earlier.entry.Keys {
			if key.Key == variable {
				return earlier.entry.Name
			}
		}
	}
	for _, env := range c.env {
		if env.Name == variable && env.grant.entry != entry {
			return env.grant.entry.Name
		}
	}
	return ""
}

// setsItself says whether the pod's author set a variable, other than to what we
// would.
func (c *containerPlan) setsItself(variable string) bool {
	return slices.ContainsFunc(c.Env, func(env EnvVar) bool { return env.Name == variable }) &&
		!slices.ContainsFunc(c.env, func(env ownedEnv) bool { return env.Name == variable && env.exists })
}
