// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/injector/pod"
)

// fetcher is a data source that is fetched by a container.
type fetcher struct {
	origin
	fetch.Container
	name  string         // of the container
	entry *catalog.Entry // what it fetches with; nil for nothing
	// existing is the container where the pod has it already.
	existing *pod.Container
	// volume is the name of the data's volume.
	volume string
}

// maxFetchers bounds how many containers one pod gets. Nobody asks for a tenth of it.
const maxFetchers = 64

// defaultSettings are those of a request that has none.
var defaultSettings = fetch.Default()

// addFetcher adds a data source that is a repository or a bucket: the container that
// fetches it, and a mount of what it fetched.
func (r *resolver) addFetcher(o origin) *Refusal {
	settings := r.request.Fetch
	if settings == nil {
		settings = &defaultSettings
	}
	var (
		f       = &fetcher{origin: o, name: bounded("credence-fetch-", o.asset.Name)}
		spec    = o.asset.DataSource
		path    v1alpha1.MountPath
		problem string
		refusal *Refusal
	)
	switch {
	case spec.Git != nil:
		if f.entry, refusal = r.findOptional(o, spec.Git.Credential, field{"spec.git.credential", -1}); refusal != nil {
			return refusal
		}
		path = spec.Git.Path
		f.Container, problem = settings.Git(spec.Git, f.entry, r.fetcherMode())
	case spec.S3 != nil:
		if f.entry, refusal = r.findOptional(o, spec.S3.Credential, field{"spec.s3.credential", -1}); refusal != nil {
			return refusal
		}
		path = spec.S3.Path
		f.Container, problem = settings.S3(spec.S3, f.entry, r.fetcherMode())
	default:
		problem = "it is of a kind that this version of Credence does not know"
	}
	if problem != "" {
		return o.refuse("%s", problem)
	}
	mount := &annotation.Mount{Annotation: o.annotation}
	if mount.Path, problem = annotation.CleanMountPath(string(path)); problem != "" {
		return o.refuse("%s", problem)
	}
	if r.fetchers = append(r.fetchers, f); len(r.fetchers) > maxFetchers {
		return refuse(o.annotation, "the pod asks for more than %d data sources that are fetched, which is the most that is supported", maxFetchers)
	}
	r.grants = append(r.grants, grant{origin: o, mount: mount, fetched: f, what: "mount " + mount.Path})
	return nil
}

// findOptional finds a credential that need not be named.
func (r *resolver) findOptional(o origin, name v1alpha1.AssetName, at field) (*catalog.Entry, *Refusal) {
	if name == "" {
		return nil, nil
	}
	return r.find(o, string(name), at)
}

// fetcherMode is the mode of a fetcher's files with secrets. Its user is never root.
func (r *resolver) fetcherMode() int32 {
	if context := r.request.Pod.Spec.SecurityContext; context != nil && context.FSGroup != nil {
		return modeFSGroup
	}
	return modeOther
}

// bounded makes a name of at most 63 characters, the same for the same asset.
func bounded(prefix, name string) string {
	if len(prefix)+len(name) <= maxLabel {
		return prefix + name
	}
	return withHash(prefix+name, []byte(name))
}

// claim finds the fetchers that the pod has already, by what they do: it may be a copy
// of a pod that we injected into. Images and resources are settings of the cluster and
// may have changed meanwhile.
func claim(fetchers []*fetcher, spec *pod.Spec, volumes *volumes) *Refusal {
	for _, f := range fetchers {
		for _, list := range spec.ContainerLists() {
			for _, container := range list.Containers {
				if container.Name != f.name {
					continue
				}
				data, same := volumes.fetchesSame(container, &f.Container)
				if !same || list.Field != initContainers || f.existing != nil {
					return f.refuse("it is fetched by a container %s, and the pod has another container of this name; remove that one, or give it another name", f.name)
				}
				f.existing, f.volume = container, data
			}
		}
	}
	return nil
}

// fetchesSame says whether a container of the pod does what a fetcher would, and into
// which volume. What a cluster adds to a container does not matter.
func (v *volumes) fetchesSame(existing *pod.Container, wanted *fetch.Container) (data string, same bool) {
	if string(existing.RestartPolicy) != wanted.RestartPolicy || !existing.Command.Equal(wanted.Command) || !existing.Args.Equal(wanted.Args) {
		return "", false
	}
	for i := range wanted.Env {
		if !hasVariable(existing.Env, &wanted.Env[i]) {
			return "", false
		}
	}
	for i := range wanted.Mounts {
		mount := &wanted.Mounts[i]
		name, same := v.mountsSame(existing.VolumeMounts, mount)
		if !same {
			return "", false
		}
		if mount.Path == fetch.DataPath {
			data = name
		}
	}
	return data, true
}

// hasVariable says whether a variable is set, and to nothing else.
func hasVariable(env []pod.EnvVar, wanted *pod.EnvVar) bool {
	found := false
	for i := range env {
		if env[i].Name == wanted.Name {
			if found = sameSource(&env[i], wanted); !found {
				return false
			}
		}
	}
	return found
}

func (v *volumes) mountsSame(mounts []pod.VolumeMount, wanted *fetch.Mount) (volume string, same bool) {
	for i := range mounts {
		mount := &mounts[i]
		if absolute(mount.MountPath) == wanted.Path {
			at := v.ownByName.Next(mount.Name, 0)
			return mount.Name, at >= 0 && mount.ReadOnly == wanted.ReadOnly && mount.SubPath == "" && mount.SubExpr == "" && sameVolume(&v.own[at], &wanted.Volume)
		}
	}
	return "", false
}

// sameVolume compares a volume of the pod with one of a fetcher.
func sameVolume(existing, wanted *pod.Volume) bool {
	switch {
	case wanted.Secret != nil:
		return sameContent(existing.Secret, wanted.Secret, true)
	case wanted.ConfigMap != nil:
		return existing.ConfigMap != nil && existing.ConfigMap.Name == wanted.ConfigMap.Name && len(existing.ConfigMap.Items) == 0
	}
	return existing.EmptyDir != nil
}

// addFetchers plans the containers that the pod does not have yet, and their volumes.
func (p *plan) addFetchers() {
	for _, f := range p.fetchers {
		if p.record.Add(f.recorded, "fetch"); f.entry != nil {
			p.record.Add(f.entry.Name, "fetch "+f.recorded)
		}
		if f.existing != nil {
			continue
		}
		f.Name = f.name
		f.VolumeMounts = make([]pod.VolumeMount, 0, len(f.Mounts))
		for i := range f.Mounts {
			mount := &f.Mounts[i]
			name := p.volumes.ofFetcher(f, mount)
			if mount.Path == fetch.DataPath {
				f.volume = name
			}
			f.VolumeMounts = append(f.VolumeMounts, pod.VolumeMount{Name: name, ReadOnly: mount.ReadOnly, MountPath: mount.Path})
		}
	}
}

// ofFetcher returns the name of the volume for a mount of a fetcher. Those with
// secrets and certificates are shared; what is written to is not.
func (v *volumes) ofFetcher(f *fetcher, mount *fetch.Mount) string {
	switch {
	case mount.Volume.Secret != nil:
		return v.named(f.entry.Name, mount.Volume.Secret)
	case mount.Volume.ConfigMap != nil:
		if name := v.like(&mount.Volume); name != "" {
			return name
		}
		return v.add("credence-ca", mount.Volume)
	case mount.Path == fetch.DataPath:
		return v.add("credence-data-"+f.asset.Name, mount.Volume)
	}
	return v.add("credence-tmp-"+f.asset.Name, mount.Volume)
}
