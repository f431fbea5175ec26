// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/remark"
)

// part is an asset that another one names, for the record.
type part struct {
	of, name string
}

// expected is about how many grants come of assets.
func (r *resolver) expected(wanted *annotation.Wanted) int {
	n := len(wanted.DataSources)
	if wanted.Environment != "" || wanted.Template != "" {
		n += 16
	}
	return n
}

// addAssets resolves the assets that annotations name.
func (r *resolver) addAssets(wanted *annotation.Wanted) *Refusal {
	if wanted.Template != "" {
		if refusal := r.addTemplate(r.written(v1alpha1.AnnotationTemplate), wanted.Template); refusal != nil {
			return refusal
		}
	}
	if wanted.Environment != "" {
		if refusal := r.addEnvironment(r.written(v1alpha1.AnnotationEnvironment), wanted.Environment, field{}); refusal != nil {
			return refusal
		}
	}
	for _, name := range wanted.DataSources {
		if refusal := r.addDataSource(r.written(v1alpha1.AnnotationDataSources), name, field{}); refusal != nil {
			return refusal
		}
	}
	return nil
}

// findAsset returns what a name means, if it may be used now; no asset where it was
// used before, for what is wanted twice is wanted once.
func (r *resolver) findAsset(o origin, kind asset.Kind, name string, at field) (origin, *Refusal) {
	found, ok := r.known.LookupAsset(kind, *o.from, name)
	if !ok {
		return origin{}, r.missing(o, kind, name, at)
	}
	inner := origin{annotation: o.annotation, asset: found, recorded: remark.NameOf(found)}
	if o.asset != nil {
		r.parts = append(r.parts, part{o.recorded, inner.recorded})
	}
	for _, used := range r.used {
		if used.asset.Kind != kind || used.asset.Name != found.Name {
			continue
		}
		if used.asset.NamespacedName != found.NamespacedName && kind == asset.DataSource {
			return origin{}, inner.refuse("annotation %s means another %s of this name, in its own scope, and one pod cannot have both", used.annotation, kind.Word())
		}
		if used.asset.NamespacedName == found.NamespacedName {
			return origin{}, nil
		}
	}
	if found.DeletedAt != nil && r.request.isNewWorkload(found.DeletedAt) {
		return origin{}, o.refuse("%s is being deleted and accepts no new workloads", found)
	}
	inside, _ := r.known.Inside(found) // it covers something, or it would not have been found
	inner.from = &inside
	r.used = append(r.used, inner)
	return inner, nil
}

func (r *resolver) addTemplate(o origin, name string) *Refusal {
	o, refusal := r.findAsset(o, asset.WorkloadTemplate, name, field{})
	if refusal != nil {
		return refusal
	}
	spec := o.asset.Template
	if refusal := r.addCredentials(o, spec.Credentials); refusal != nil {
		return refusal
	}
	if refusal := r.addAssetEnv(o, spec.Env); refusal != nil {
		return refusal
	}
	for i := range spec.Mounts {
		if refusal := r.addAssetMount(o, &spec.Mounts[i], field{"spec.mounts[%d].credential", i}); refusal != nil {
			return refusal
		}
	}
	if spec.Environment != "" {
		if refusal := r.addEnvironment(o, string(spec.Environment), field{"spec.environment", -1}); refusal != nil {
			return refusal
		}
	}
	for i, name := range spec.DataSources {
		if refusal := r.addDataSource(o, string(name), field{"spec.dataSources[%d]", i}); refusal != nil {
			return refusal
		}
	}
	return nil
}

func (r *resolver) addEnvironment(o origin, name string, at field) *Refusal {
	o, refusal := r.findAsset(o, asset.Environment, name, at)
	if refusal != nil || o.asset == nil {
		return refusal
	}
	r.environments = append(r.environments, o)
	if refusal := r.addAssetEnv(o, o.asset.Environment.Env); refusal != nil {
		return refusal
	}
	return r.addCredentials(o, o.asset.Environment.Credentials)
}

func (r *resolver) addCredentials(o origin, names []v1alpha1.AssetName) *Refusal {
	for i, name := range names {
		if refusal := r.addNamed(o, string(name), field{"spec.credentials[%d]", i}); refusal != nil {
			return refusal
		}
	}
	return nil
}

func (r *resolver) addAssetEnv(o origin, list []v1alpha1.AssetEnv) *Refusal {
	for i := range list {
		one := &list[i]
		if one.Credential == nil {
			variable := &pod.EnvVar{Name: one.Name}
			if one.Value != nil {
				variable.Value = pod.Text(*one.Value)
			}
			r.grants = append(r.grants, grant{origin: o, what: "env " + one.Name, env: variable})
			continue
		}
		entry, refusal := r.find(o, string(one.Credential.Name), field{"spec.env[%d].credential", i})
		if refusal != nil {
			return refusal
		}
		if refusal := r.addVariable(o, entry, one.Name, one.Credential.Key); refusal != nil {
			return refusal
		}
	}
	return nil
}

func (r *resolver) addAssetMount(o origin, spec *v1alpha1.CredentialMount, at field) *Refusal {
	mount := &annotation.Mount{Annotation: o.annotation, Credential: string(spec.Credential), Mode: spec.Mode}
	var problem string
	if mount.Path, problem = annotation.CleanMountPath(string(spec.MountPath)); problem != "" {
		return o.refuse("%s", problem)
	}
	for _, one := range spec.Keys {
		mount.Items = append(mount.Items, annotation.Item{Key: one.Key, File: one.File})
	}
	if problem := annotation.CheckItems(mount.Items); problem != "" {
		return o.refuse("%s", problem)
	}
	return r.addMount(o, mount, at)
}

func (r *resolver) addDataSource(o origin, name string, at field) *Refusal {
	o, refusal := r.findAsset(o, asset.DataSource, name, at)
	if refusal != nil || o.asset == nil {
		return refusal
	}
	if secret := o.asset.DataSource.Secret; secret != nil {
		return r.addAssetMount(o, secret, field{"spec.secret.credential", -1})
	}
	return r.addFetcher(o)
}
