// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/patch"
)

// setEnvironments gives the containers that have the placeholder for an image what
// the environment runs. A pod without an environment for them is refused, also one
// that asks for nothing else: it could never run.
func (p *plan) setEnvironments(environments []origin) *Refusal {
	for i := range p.containers {
		container := &p.containers[i]
		if container.Image != v1alpha1.EnvironmentPlaceholder {
			p.noteEnvironment(container, environments)
			continue
		}
		o, refusal := p.environmentOf(container, environments)
		if refusal != nil {
			return refusal
		}
		container.environment = o.asset.Environment
		p.record.Add(o.recorded, "image of "+container.Name)
	}
	return nil
}

// noteEnvironment records an image that is an environment's: an earlier pass of ours put
// it there, or it is as good.
func (p *plan) noteEnvironment(container *containerPlan, environments []origin) {
	for _, o := range environments {
		if image := o.asset.Environment.Image; image != "" && image == container.Image {
			p.record.Add(o.recorded, "image of "+container.Name)
		}
	}
}

// environmentOf returns the one environment with an image.
func (p *plan) environmentOf(container *containerPlan, environments []origin) (found origin, refusal *Refusal) {
	for _, o := range environments {
		switch {
		case o.asset.Environment.Image == "":
		case found.asset == nil:
			found = o
		default:
			return found, refuse(o.annotation, "the image of container %s is wanted from %s (annotation %s) and from %s",
				annotation.Quote(container.Name), found.asset, found.annotation, o.asset)
		}
	}
	switch {
	case found.asset != nil:
		return found, nil
	case len(environments) > 0:
		return found, environments[0].refuse("it has no image, and container %s has the placeholder %s for one",
			annotation.Quote(container.Name), v1alpha1.EnvironmentPlaceholder)
	}
	refusal = refuse("", "container %s has the placeholder %s for an image, and no environment is named; name one in the annotation %s",
		annotation.Quote(container.Name), v1alpha1.EnvironmentPlaceholder, v1alpha1.AnnotationEnvironment)
	refusal.Pointer = fmt.Sprintf("%s/spec/%s/%d/image", p.request.Prefix, container.field, container.index)
	return found, refusal
}

// writeEnvironment replaces the placeholder. What the environment leaves open stays as
// the container has it, but for the pull policy: the API server has long given the
// container the one of the placeholder.
func (c *containerPlan) writeEnvironment(builder *patch.Builder, base string) {
	environment := c.environment
	if environment == nil {
		return
	}
	builder.Replace(base+"/image", environment.Image)
	policy := environment.ImagePullPolicy
	if policy == "" {
		policy = defaultPullPolicy(environment.Image)
	}
	builder.Set(base+"/imagePullPolicy", policy)
	if len(environment.Command) > 0 {
		builder.Set(base+"/command", environment.Command)
	}
	if len(environment.Args) > 0 {
		builder.Set(base+"/args", environment.Args)
	}
	if environment.WorkingDir != "" && c.WorkingDir == "" {
		builder.Set(base+"/workingDir", environment.WorkingDir)
	}
}

// defaultPullPolicy is what the API server gives a container without a pull policy.
func defaultPullPolicy(image string) corev1.PullPolicy {
	if strings.Contains(image, "@") {
		return corev1.PullIfNotPresent
	}
	_, tag, tagged := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], ":")
	if !tagged || tag == "latest" {
		return corev1.PullAlways
	}
	return corev1.PullIfNotPresent
}
