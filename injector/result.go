// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"strconv"

	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/remark"
	"github.com/credence-dev/credence/injector/search"
)

// result writes the plan as operations.
func (p *plan) result() Result {
	builder := patch.Builder{
		Prefix:     p.request.Prefix,
		Operations: make([]jsonpatch.Operation, 0, 4*len(p.containers)+len(p.volumes.added.Items)+len(p.pull.Items)+1),
	}
	for i := range p.containers {
		p.containers[i].write(&builder)
	}
	p.writeFetchers(&builder)
	volumes := make([]any, len(p.volumes.added.Items))
	for i := range volumes {
		volumes[i] = p.volumes.added.Items[i]
	}
	builder.Append("/spec/volumes", p.spec.Volumes != nil, volumes)
	p.writePullSecrets(&builder)
	p.writeRemarks(&builder, p.record.Record)
	return Result{Operations: builder.Operations, Warnings: p.warnings.List(), Record: p.record.Record}
}

// onlyPullSecrets writes of the plan what adds image pull secrets, with their record.
func (p *plan) onlyPullSecrets() []jsonpatch.Operation {
	record := p.record.PullSecrets()
	if len(record) == 0 {
		return nil
	}
	builder := patch.Builder{Prefix: p.request.Prefix}
	p.writePullSecrets(&builder)
	p.writeRemarks(&builder, record)
	return builder.Operations
}

func (p *plan) writePullSecrets(builder *patch.Builder) {
	pull := make([]any, len(p.pull.Items))
	for i, name := range p.pull.Items {
		pull[i] = pod.LocalReference{Name: name}
	}
	builder.Append("/spec/imagePullSecrets", p.spec.ImagePullSecrets != nil, pull)
}

// writeRemarks writes the record, and what is said to the author, where the pod's own
// annotations leave room for them. A record that came with the pod, such as with a
// copy of another pod, is put right even where there is nothing to record.
func (p *plan) writeRemarks(builder *patch.Builder, record remark.Record) {
	metadata := &p.request.Pod.Metadata
	_, stale := metadata.Annotations[v1alpha1.AnnotationInjected]
	recorded, said := stale || len(record) > 0, p.said()
	if !recorded && said == "" {
		return
	}
	remarks := make(map[string]string, 2)
	write := func(key, text string) {
		if before, there := metadata.Annotations[key]; there && text == before {
			return
		}
		if remarks[key] = text; !pod.AnnotationsFit(metadata.Annotations, remarks) {
			delete(remarks, key)
		}
	}
	if recorded {
		write(v1alpha1.AnnotationInjected, record.String())
	}
	if said != "" {
		write(v1alpha1.AnnotationWarnings, said)
	}
	builder.AnnotateAll(metadata, remarks)
}

// said is what is written on a pod of what its author is warned of: nothing on one
// that nobody controls, whose author is told by the answer.
func (p *plan) said() string {
	metadata := &p.request.Pod.Metadata
	if _, controlled := metadata.Controller(); !controlled || p.request.Prefix != "" {
		return ""
	}
	return p.warnings.Text(metadata.Annotations)
}

// initContainers is the field of a pod's init containers.
const initContainers = "initContainers"

// writeFetchers puts the containers that fetch before all others, whose places in the
// list are other ones from then on.
func (p *plan) writeFetchers(builder *patch.Builder) {
	if len(p.fetchers) == 0 {
		return
	}
	containers := make([]any, 0, len(p.fetchers))
	for _, f := range p.fetchers {
		if f.existing == nil {
			containers = append(containers, &f.NewContainer)
		}
	}
	builder.Prepend("/spec/"+initContainers, p.spec.InitContainers != nil, containers)
}

// write adds the container's operations. Variables go before the container's
// own: of sets of variables the later wins, and $(VAR) sees only earlier ones.
func (c *containerPlan) write(builder *patch.Builder) {
	base := "/spec/" + c.field + "/" + strconv.Itoa(c.index)
	c.writeEnvironment(builder, base)
	env := make([]any, 0, len(c.env.Items))
	for _, variable := range c.env.Items {
		if !variable.exists {
			env = append(env, variable.EnvVar)
		}
	}
	builder.Prepend(base+"/env", c.Env != nil, env)
	envFrom := make([]any, 0, len(c.envFrom))
	there := search.NewIndex(c.EnvFrom, allKeysOf)
	for _, g := range c.envFrom {
		if name := g.entry.KubernetesName; !there.Has(name) {
			envFrom = append(envFrom, pod.EnvFromSource{SecretRef: &pod.LocalReference{Name: name}})
		}
	}
	builder.Prepend(base+"/envFrom", c.EnvFrom != nil, envFrom)
	mounts := make([]any, 0, len(c.mounts))
	for _, mount := range c.mounts {
		if !mount.exists {
			mounts = append(mounts, pod.VolumeMount{Name: mount.volume, ReadOnly: true, MountPath: mount.grant.mount.Path})
		}
	}
	builder.Append(base+"/volumeMounts", c.VolumeMounts != nil, mounts)
}
