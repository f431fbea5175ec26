// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"slices"
	"strings"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/remark"
)

// addNamedPullSecret adds the pull secret of a credential that the pod names,
// whatever its images.
func (p *plan) addNamedPullSecret(g *grant) {
	if !p.request.PullSecrets {
		return
	}
	p.note(g, remark.PullSecret)
	p.addPullSecret(g.entry.KubernetesName)
}

func (p *plan) addPullSecret(kubernetesName string) {
	if !p.ownPull.Has(kubernetesName) && p.pull.Find(kubernetesName) < 0 {
		p.pull.Add(kubernetesName)
	}
}

// match is a credential with the most specific of its patterns that serves an
// image of the pod.
type match struct {
	entry   *catalog.Entry
	pattern string
}

// addAutomatic adds the pull secrets whose registries serve an image of the pod,
// most specific pattern first, in the order in which the kubelet tries them. What all
// pull secrets cost in a template is said to its author.
func (p *plan) addAutomatic(known Catalog, place credential.Place) {
	var (
		images  []credential.Image
		parsed  bool
		matches []match
	)
	known.PullCandidates(place, func(entry *catalog.Entry) {
		if !parsed { // most projects have no registry login: their pods' images are not looked at
			images, parsed = p.images(), true
		}
		if pattern, ok := serves(entry, images); ok {
			matches = append(matches, match{entry, pattern})
		}
	})
	slices.SortStableFunc(matches, func(a, b match) int { return strings.Compare(b.pattern, a.pattern) })
	var before remark.Record
	for _, m := range matches {
		entry := m.entry
		if p.record.Has(entry.Name, remark.PullSecret) {
			continue
		}
		if p.ownPull.Has(entry.KubernetesName) {
			// The pod's own, unless an earlier pass of ours added it.
			if before == nil {
				before = remark.ReadRecord(p.request.Pod.Metadata.Annotations)
			}
			if !before.Has(entry.Name, remark.AutomaticPullSecret) {
				continue
			}
		}
		if p.usableNow(entry, place) {
			p.addPullSecret(entry.KubernetesName)
			p.record.Add(entry.Name, remark.AutomaticPullSecret)
		}
	}
	if p.request.Prefix != "" && len(p.pull.Items) > 0 {
		p.warnings.Add("imagePullSecrets in a pod template keep the API server from adding those of the service account")
	}
}

// usableNow says whether a credential that nobody named may be added, and warns of a
// Secret that is not as it should be. What cannot be used is left out: a pod that did
// not ask is never refused.
func (p *plan) usableNow(entry *catalog.Entry, place credential.Place) bool {
	switch {
	case entry.Problem != "" || entry.SourceMissing && !entry.KeysKnown:
		return false
	case entry.DeletedAt != nil && p.request.isNewWorkload(entry.DeletedAt):
		return false
	}
	switch entry.SecretIn(place.Namespace) {
	case catalog.SecretTaken:
		p.warnings.Add("registry login %q is not used: another Secret in namespace %s has its name %s", entry.Name, place.Namespace, entry.KubernetesName)
		return false
	case catalog.SecretPending:
		p.warnings.Add("registry login %q is not in namespace %s yet; pulling is tried again until it is", entry.Name, place.Namespace)
	case catalog.SecretMaybeTaken:
		warnMaybeTaken(&p.warnings, entry, place.Namespace)
	}
	return true
}

func serves(entry *catalog.Entry, images []credential.Image) (best string, ok bool) {
	for _, image := range images {
		if pattern, serves := entry.Serves(image); serves && (!ok || pattern > best) {
			best, ok = pattern, true
		}
	}
	return best, ok
}

// maxImages bounds how many images are looked at. A node runs no pod of as many
// containers, and each is compared with every registry.
const maxImages = 1000

// images returns the images that the kubelet will pull for the pod.
func (p *plan) images() []credential.Image {
	images := make([]credential.Image, 0, min(len(p.containers), maxImages))
	add := func(reference string) {
		if len(images) == maxImages {
			return
		}
		if image, ok := credential.ParseImage(reference); ok {
			images = append(images, image)
		}
	}
	for i := range p.containers {
		if environment := p.containers[i].environment; environment != nil {
			add(environment.Image)
		} else {
			add(p.containers[i].Image)
		}
	}
	for _, f := range p.fetchers {
		if f.existing != nil {
			add(f.existing.Image)
		} else {
			add(f.Image)
		}
	}
	for i := range p.spec.Volumes {
		if image := p.spec.Volumes[i].Image; image != nil {
			add(image.Reference)
		}
	}
	return images
}
