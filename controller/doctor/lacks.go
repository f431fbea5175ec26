// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
)

// lacks are the credentials and assets that a pod's annotations name and of which it
// has nothing at all. Who has a part was injected: what is missing then came later,
// with a change of the asset or of the credential, and is no fault of admission.
func (j *Judge) lacks(s *subject, result *injector.Result, refusal string) ([]string, error) {
	names := annotation.Names(s.Annotations)
	assets := assetsIn(names)
	if len(names.Credentials)+len(assets) == 0 {
		return nil, nil
	}
	after := s.secrets
	if refusal == "" {
		would, err := patched(s.document, result.Operations)
		if err != nil {
			return nil, fmt.Errorf("injecting into pod %s/%s: %w", s.Namespace, s.Name, err)
		}
		after = secretsOf(would)
	}
	var lacks []string
	for _, name := range names.Credentials {
		if j.lacksCredential(s, name, after, refusal != "") {
			lacks = append(lacks, fmt.Sprintf("credential %q", name))
		}
	}
	for _, named := range assets {
		lacking, err := j.lacksAsset(s, named, after, refusal != "")
		if err != nil {
			return nil, err
		}
		if lacking {
			lacks = append(lacks, fmt.Sprintf("%s %q", named.kind.Word(), named.name))
		}
	}
	return lacks, nil
}

// lacksCredential says whether a pod has nothing of a credential and would get some.
// Of one that means nothing now it is not known what its Secret was called: only a
// pod that refers to no Secret has certainly none of it. One that means another
// credential than it did, whose copy had a name by another type, was injected then.
func (j *Judge) lacksCredential(s *subject, name string, after sets.Set[string], refused bool) bool {
	entry, ok := j.Catalog.Lookup(s.place, name)
	switch {
	case !ok:
		return len(s.secrets) == 0
	case s.secrets.Has(entry.KubernetesName) || hasCopyOf(s.secrets, name):
		return false
	}
	return refused || after.Has(entry.KubernetesName)
}

// hasCopyOf says whether one of Secrets is called as the copy of a credential of a name
// is, of whatever type.
func hasCopyOf(secrets sets.Set[string], name string) bool {
	for _, definition := range credential.Definitions() {
		if secrets.Has(definition.NamePrefix + name) {
			return true
		}
	}
	return false
}

// named is an asset that an annotation names.
type named struct {
	kind       asset.Kind
	annotation string
	name       string
}

func assetsIn(names annotation.Referred) (all []named) {
	if names.Environment != "" {
		all = append(all, named{asset.Environment, v1alpha1.AnnotationEnvironment, names.Environment})
	}
	for _, name := range names.DataSources {
		all = append(all, named{asset.DataSource, v1alpha1.AnnotationDataSources, name})
	}
	if names.Template != "" {
		all = append(all, named{asset.WorkloadTemplate, v1alpha1.AnnotationTemplate, names.Template})
	}
	return all
}

// lacksAsset says whether a pod has nothing of an asset and would get some. What
// cannot be had now is not known, so then only a placeholder tells.
func (j *Judge) lacksAsset(s *subject, named named, after sets.Set[string], refused bool) (bool, error) {
	found, ok := j.Catalog.LookupAsset(named.kind, s.place, named.name)
	if !ok || refused {
		return named.kind != asset.DataSource && hasPlaceholder(s.Pod), nil
	}
	secrets := j.secretsGiven(found, nil)
	if s.secrets.HasAny(secrets...) {
		return false, nil
	}
	alone := map[string]string{named.annotation: named.name}
	if containers, ok := s.Annotations[v1alpha1.AnnotationContainers]; ok {
		alone[v1alpha1.AnnotationContainers] = containers
	}
	if !after.HasAny(secrets...) {
		left, refusal, err := j.inject(s.asking(alone), s.Namespace)
		if err != nil || refusal != "" || !slices.ContainsFunc(left.Operations, isContent) {
			return false, err
		}
	}
	given, err := j.given(s, alone)
	return err == nil && !sharesAny(given, s.Pod), err
}

// asking is the pod with other annotations, and without what fetches data: only those
// that the annotations name would be known for that.
func (s *subject) asking(annotations map[string]string) *pod.Pod {
	p, spec := *s.decoded, *s.decoded.Spec
	p.Metadata.Annotations, p.Spec = annotations, &spec
	spec.InitContainers = slices.DeleteFunc(slices.Clone(spec.InitContainers), func(c *pod.Container) bool { return isFetcher(c.Name) })
	return &p
}

// fetcherPrefix is how the names of containers begin that fetch data sources.
const fetcherPrefix = "credence-fetch-"

func isFetcher(name string) bool { return strings.HasPrefix(name, fetcherPrefix) }

func hasPlaceholder(p *corev1.Pod) bool {
	return slices.ContainsFunc(slices.Concat(p.Spec.InitContainers, p.Spec.Containers), func(c corev1.Container) bool {
		return c.Image == v1alpha1.EnvironmentPlaceholder
	})
}

// secretsGiven are the Secrets of the credentials that an asset gives, itself or by
// those that it names.
func (j *Judge) secretsGiven(a *asset.Asset, secrets []string) []string {
	for _, reference := range a.References() {
		id, ok := j.Catalog.Meant(a, reference.Kind, reference.Name)
		if !ok {
			continue
		}
		if entry, ok := j.Catalog.Credential(id.NamespacedName); ok && id.Kind == asset.Credential {
			secrets = append(secrets, entry.KubernetesName)
		} else if inner, ok := j.Catalog.Asset(id); ok {
			secrets = j.secretsGiven(inner, secrets)
		}
	}
	return secrets
}

// given is the pod with what annotations give, and without all that it may have of it
// already: its containers have no variables and no mounts but those.
func (j *Judge) given(s *subject, annotations map[string]string) (*corev1.Pod, error) {
	bare := s.DeepCopy()
	bare.Annotations = annotations
	bare.Spec.Volumes, bare.Spec.ImagePullSecrets = nil, nil
	for _, list := range [][]corev1.Container{bare.Spec.InitContainers, bare.Spec.Containers} {
		for i := range list {
			list[i].Env, list[i].EnvFrom, list[i].VolumeMounts = nil, nil, nil
		}
	}
	// A fetcher without its mounts would be taken for another container of its name.
	bare.Spec.InitContainers = slices.DeleteFunc(bare.Spec.InitContainers, func(c corev1.Container) bool { return isFetcher(c.Name) })
	document, err := json.Marshal(bare)
	if err != nil {
		return nil, fmt.Errorf("writing pod %s/%s: %w", s.Namespace, s.Name, err)
	}
	decoded, err := pod.Decode(document)
	if err != nil {
		return nil, fmt.Errorf("reading pod %s/%s: %w", s.Namespace, s.Name, err)
	}
	result, refusal, err := j.inject(decoded, s.Namespace)
	if err != nil || refusal != "" {
		return bare, err
	}
	return patched(document, result.Operations)
}

// sharesAny says whether a pod has any of what another's containers were given: a
// container that fetches, a variable, or a mount. What the variable holds is not asked:
// it may be what the asset had in it when the pod came.
func sharesAny(given, p *corev1.Pod) bool {
	has := map[string]*corev1.Container{}
	for _, list := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for i := range list {
			has[list[i].Name] = &list[i]
		}
	}
	return slices.ContainsFunc(slices.Concat(given.Spec.InitContainers, given.Spec.Containers), func(c corev1.Container) bool {
		own, ok := has[c.Name]
		switch {
		case !ok:
			return false
		case isFetcher(c.Name):
			return true
		}
		return slices.ContainsFunc(c.Env, func(v corev1.EnvVar) bool {
			return slices.ContainsFunc(own.Env, func(o corev1.EnvVar) bool { return o.Name == v.Name })
		}) || slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
			return slices.ContainsFunc(own.VolumeMounts, func(o corev1.VolumeMount) bool { return o.MountPath == m.MountPath })
		})
	})
}
