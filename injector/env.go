// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"slices"

	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
)

// giveEnv adds a variable. The pod's own wins over ours, and two of ours may not
// differ.
func (p *plan) giveEnv(container *containerPlan, g *grant) *Refusal {
	if at := container.env.Find(g.env.Name); at >= 0 {
		other := &container.env.Items[at]
		if sameSource(other.EnvVar, g.env) {
			p.note(g, g.what)
			return nil
		}
		return refuse(g.annotation, "variable %s of container %s is wanted from %s and from %s",
			g.env.Name, annotation.Quote(container.Name), other.grant.withKey(), g.withKey())
	}
	exists := false
	for i := container.ownEnv.Next(g.env.Name, 0); i >= 0; i = container.ownEnv.Next(g.env.Name, i+1) {
		if !sameSource(&container.Env[i], g.env) {
			p.keep(container, g, g.env.Name)
			return nil
		}
		exists = true
	}
	container.env.Add(ownedEnv{EnvVar: g.env, grant: g, exists: exists})
	p.note(g, g.what)
	return nil
}

// withKey is what gives a variable, and of which key.
func (g *grant) withKey() string {
	if g.env.ValueFrom == nil {
		return g.String()
	}
	return g.String() + " key " + g.env.ValueFrom.SecretKeyRef.Key
}

// keep notes that the pod's own variable stays.
func (p *plan) keep(container *containerPlan, g *grant, variable string) {
	p.warnings.Add("container %s already sets variable %s, which is kept instead of %s", annotation.Quote(container.Name), variable, g)
	p.note(g, "env "+variable+" (kept the pod's own in "+container.Name+")")
}

// sameSource compares a variable with one of ours: a value, or a key of a Secret.
func sameSource(existing, wanted *pod.EnvVar) bool {
	if wanted.ValueFrom == nil {
		return existing.ValueFrom == nil && existing.Value == wanted.Value
	}
	return existing.ValueFrom != nil && existing.ValueFrom.SecretKeyRef != nil &&
		*existing.ValueFrom.SecretKeyRef == *wanted.ValueFrom.SecretKeyRef
}

// giveEnvFrom adds all keys as variables.
func (p *plan) giveEnvFrom(container *containerPlan, g *grant) {
	p.note(g, g.what)
	if !slices.ContainsFunc(container.envFrom, func(other *grant) bool { return sameCredential(other.entry, g.entry) }) {
		container.envFrom = append(container.envFrom, g)
	}
}

// allKeysOf is the name of the Secret whose keys are all made variables, under their
// own names.
func allKeysOf(source *pod.EnvFromSource) string {
	if source.Prefix != "" || source.SecretRef == nil {
		return ""
	}
	return source.SecretRef.Name
}

// checkEnvFrom refuses two credentials that set one variable where at least one
// of them sets all its keys. The pod's own variables win, as Kubernetes has it.
func (p *plan) checkEnvFrom() *Refusal {
	var setters map[string]*grant
	for i := range p.containers {
		container := &p.containers[i]
		if len(container.envFrom) == 0 {
			continue
		}
		if setters == nil {
			setters = make(map[string]*grant, 16)
		}
		clear(setters)
		container.listSetters(setters)
		for _, g := range container.envFrom {
			for _, key := range g.entry.Keys {
				switch other, set := setters[key.Key]; {
				case !set:
					setters[key.Key] = g
				case other == nil:
					p.keep(container, g, key.Key)
				case !sameCredential(other.entry, g.entry):
					return refuse(g.annotation, "variable %s of container %s is wanted from %s and from %s",
						key.Key, annotation.Quote(container.Name), other, g)
				}
			}
		}
	}
	return nil
}

// listSetters lists who sets a variable by its name, nil for the pod's author.
func (c *containerPlan) listSetters(setters map[string]*grant) {
	for i := range c.Env {
		setters[c.Env[i].Name] = nil
	}
	for i := range c.env.Items {
		setters[c.env.Items[i].Name] = c.env.Items[i].grant
	}
}
