// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"gomodules.xyz/jsonpatch/v2"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// result writes the plan as operations. Every array gets at most one operation
// that creates it: a second would overwrite the first.
func (p *plan) result() Result {
	operations := operations{
		prefix: p.request.Prefix,
		list:   make([]jsonpatch.Operation, 0, 4*len(p.containers)+len(p.volumes)+len(p.pull)+1),
	}
	for i := range p.containers {
		p.containers[i].write(&operations)
	}
	volumes := make([]any, len(p.volumes))
	for i := range p.volumes {
		volumes[i] = p.volumes[i]
	}
	operations.append("/spec/volumes", p.spec.Volumes != nil, volumes)
	pull := make([]any, len(p.pull))
	for i, name := range p.pull {
		pull[i] = LocalReference{Name: name}
	}
	operations.append("/spec/imagePullSecrets", p.spec.ImagePullSecrets != nil, pull)
	// A record that came with the pod, such as with a copy of another pod, is put
	// right even where there is nothing to record.
	if _, stale := p.request.Pod.Metadata.Annotations[v1alpha1.AnnotationInjected]; stale || len(p.record) > 0 {
		operations.annotate(&p.request.Pod.Metadata, v1alpha1.AnnotationInjected, p.record.String())
	}
	if p.request.Prefix != "" && len(p.pull) > 0 {
		p.warnings.add("imagePullSecrets in a pod template keep the API server from adding those of the service account")
	}
	return Result{Operations: operations.list, Warnings: p.warnings.all(), Record: p.record}
}

// write adds the container's operations. Variables go before the container's
// own: of sets of variables the later wins, and $(VAR) sees only earlier ones.
func (c *containerPlan) write(operations *operations) {
	base := "/spec/" + c.field + "/" + strconv.Itoa(c.index)
	env := make([]any, 0, len(c.env))
	for _, variable := range c.env {
		if !variable.exists {
			env = append(env, variable.EnvVar)
		}
	}
	operations.prepend(base+"/env", c.Env != nil, env)
	envFrom := make([]any, 0, len(c.envFrom))
	for _, g := range c.envFrom {
		if name := g.entry.KubernetesName; !c.hasEnvFrom(name) {
			envFrom = append(envFrom, EnvFromSource{SecretRef: &LocalReference{Name: name}})
		}
	}
	operations.prepend(base+"/envFrom", c.EnvFrom != nil, envFrom)
	mounts := make([]any, 0, len(c.mounts))
	for _, mount := range c.mounts {
		if !mount.exists {
			mounts = append(mounts, VolumeMount{Name: mount.volume, ReadOnly: true, MountPath: mount.path})
		}
	}
	operations.append(base+"/volumeMounts", c.VolumeMounts != nil, mounts)
}

// operations builds a patch.
type operations struct {
	prefix string
	list   []jsonpatch.Operation
}

func (o *operations) add(path string, value any) {
	o.list = append(o.list, jsonpatch.NewOperation("add", o.prefix+path, value))
}

// append adds values behind those of an array, or the array.
func (o *operations) append(path string, exists bool, values []any) {
	if !exists && len(values) > 0 {
		o.add(path, values)
		return
	}
	for _, value := range values {
		o.add(path+"/-", value)
	}
}

// prepend adds values before those of an array, in their order, or the array.
func (o *operations) prepend(path string, exists bool, values []any) {
	if !exists && len(values) > 0 {
		o.add(path, values)
		return
	}
	for i := len(values) - 1; i >= 0; i-- {
		o.add(path+"/0", values[i])
	}
}

// annotate sets one of our own annotations.
func (o *operations) annotate(metadata *Metadata, key, value string) {
	if old, ok := metadata.Annotations[key]; !ok || old != value {
		o.annotateAll(metadata, map[string]string{key: value})
	}
}

// annotateAll sets several annotations.
func (o *operations) annotateAll(metadata *Metadata, annotations map[string]string) {
	switch {
	case len(annotations) == 0:
	case metadata.Annotations != nil:
		for _, key := range slices.Sorted(maps.Keys(annotations)) {
			o.add("/metadata/annotations/"+escape(key), annotations[key])
		}
	case metadata.present:
		o.add("/metadata/annotations", annotations)
	default:
		o.add("/metadata", map[string]any{"annotations": annotations})
	}
}

func (o *operations) remove(path string) {
	o.list = append(o.list, jsonpatch.Operation{Operation: "remove", Path: o.prefix + path})
}

// escape makes a token of a JSON pointer of a name.
func escape(name string) string {
	return string(jsontext.Pointer("").AppendToken(name)[1:])
}

// AppendPatch appends operations as the JSON of a patch: an array, empty for
// none.
func AppendPatch(patch []byte, operations []jsonpatch.Operation) ([]byte, error) {
	text := appender(append(patch, '['))
	for i, operation := range operations {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, `{"op":"`...)
		text = append(text, operation.Operation...)
		text = append(text, `","path":`...)
		var err error
		if text, err = jsontext.AppendQuote(text, operation.Path); err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
		if operation.Operation != "remove" {
			text = append(text, `,"value":`...)
			if err := json.MarshalWrite(&text, operation.Value, deterministic); err != nil {
				return nil, fmt.Errorf("operation %d at %s: %w", i, operation.Path, err)
			}
		}
		text = append(text, '}')
	}
	return append(text, ']'), nil
}

// deterministic orders the members of maps.
var deterministic = json.Deterministic(true)

// appender is a writer that appends to itself.
type appender []byte

func (a *appender) Write(text []byte) (int, error) {
	*a = append(*a, text...)
	return len(text), nil
}
