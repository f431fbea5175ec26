// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/search"
)

// volumes are those of the pod, and new ones for what is mounted.
type volumes struct {
	own       []pod.Volume
	ownByName search.Index[pod.Volume]
	added     search.Set[pod.Volume]
	// byContent names the volumes by what they have; nil while there are few.
	byContent map[string]string
}

func volumeName(v *pod.Volume) string { return v.Name }

func newVolumes(own []pod.Volume) volumes {
	return volumes{own: own, ownByName: search.NewIndex(own, volumeName), added: search.NewSet(volumeName)}
}

// named returns the name of a volume with this content: one that the pod has, one
// that is planned, or a new one.
func (v *volumes) named(credentialName string, content *pod.SecretVolume) string {
	if name := v.find(content); name != "" {
		return name
	}
	name := v.freeName("credence-"+credentialName, func() string {
		return fmt.Sprintf("%s %o %+v", content.SecretName, *content.DefaultMode, content.Items)
	})
	v.added.Add(pod.Volume{Name: name, Secret: content})
	if v.byContent != nil {
		v.byContent[contentKey(content)] = name
	}
	return name
}

// add adds a volume that is no Secret, under a name or one like it.
func (v *volumes) add(name string, volume pod.Volume) string {
	volume.Name = v.freeName(name, func() string { return name })
	v.added.Add(volume)
	return volume.Name
}

// like returns the name of a volume with the content of another, empty if there is
// none.
func (v *volumes) like(wanted *pod.Volume) string {
	for i := range v.own {
		if sameVolume(&v.own[i], wanted) && v.isFirst(i) {
			return v.own[i].Name
		}
	}
	for i := range v.added.Items {
		if sameVolume(&v.added.Items[i], wanted) {
			return v.added.Items[i].Name
		}
	}
	return ""
}

// fewVolumes are gone through.
const fewVolumes = 32

// find returns the name of a volume with this content, empty if there is none.
func (v *volumes) find(content *pod.SecretVolume) string {
	if v.byContent == nil && len(v.own)+len(v.added.Items) > fewVolumes {
		v.byContent = v.listContents()
	}
	if v.byContent != nil {
		return v.byContent[contentKey(content)]
	}
	for i := range v.own {
		if sameContent(v.own[i].Secret, content, false) && v.isFirst(i) {
			return v.own[i].Name
		}
	}
	for i := range v.added.Items {
		if sameContent(v.added.Items[i].Secret, content, false) {
			return v.added.Items[i].Name
		}
	}
	return ""
}

func (v *volumes) listContents() map[string]string {
	contents := make(map[string]string, 2*(len(v.own)+len(v.added.Items)))
	for i := range v.own {
		if secret := v.own[i].Secret; isPlainSecret(secret) && v.isFirst(i) {
			if key := contentKey(secret); contents[key] == "" {
				contents[key] = v.own[i].Name
			}
		}
	}
	for i := range v.added.Items {
		if secret := v.added.Items[i].Secret; secret != nil {
			contents[contentKey(secret)] = v.added.Items[i].Name
		}
	}
	return contents
}

// isFirst says whether no volume before has the same name. The API server refuses
// the others later.
func (v *volumes) isFirst(i int) bool { return v.ownByName.Next(v.own[i].Name, 0) == i }

// hasContent says whether a volume of the pod has this content.
func (v *volumes) hasContent(name string, content *pod.SecretVolume, anyMode bool) bool {
	i := v.ownByName.Next(name, 0)
	return i >= 0 && sameContent(v.own[i].Secret, content, anyMode)
}

// grantedVolume is what a grant mounts with one mode. Its name is empty until it is
// needed.
type grantedVolume struct {
	content *pod.SecretVolume
	name    string
}

// volumeOf returns the volume of a mode, which containers share. There are few modes.
func (g *grant) volumeOf(mode int32) *grantedVolume {
	for i := range g.volumes {
		if *g.volumes[i].content.DefaultMode == mode {
			return &g.volumes[i]
		}
	}
	content := &pod.SecretVolume{SecretName: g.entry.KubernetesName, DefaultMode: &mode}
	if len(g.volumes) > 0 {
		content.Items = g.volumes[0].content.Items
	} else if len(g.mount.Items) > 0 {
		content.Items = make([]pod.KeyToPath, len(g.mount.Items))
		for i, item := range g.mount.Items {
			content.Items[i] = pod.KeyToPath{Key: item.Key, Path: item.File}
		}
	}
	g.volumes = append(g.volumes, grantedVolume{content: content})
	return &g.volumes[len(g.volumes)-1]
}

// isPlainSecret says whether a volume has just what ours have, and may be one.
func isPlainSecret(secret *pod.SecretVolume) bool {
	return secret != nil && !secret.Optional && !slices.ContainsFunc(secret.Items, func(item pod.KeyToPath) bool { return item.Mode != nil })
}

func sameContent(existing, wanted *pod.SecretVolume, anyMode bool) bool {
	return existing != nil && existing.SecretName == wanted.SecretName && (anyMode || modeOf(existing) == modeOf(wanted)) &&
		len(existing.Items) == len(wanted.Items) && isPlainSecret(existing) && slices.Equal(existing.Items, wanted.Items)
}

func modeOf(secret *pod.SecretVolume) int32 {
	if secret.DefaultMode == nil {
		return modeDefault
	}
	return *secret.DefaultMode
}

// contentKey is the same for two plain Secrets with the same content, and only for
// those.
func contentKey(secret *pod.SecretVolume) string {
	key := strconv.AppendInt(strconv.AppendQuote(nil, secret.SecretName), int64(modeOf(secret)), 8)
	for _, item := range secret.Items {
		key = strconv.AppendQuote(strconv.AppendQuote(key, item.Key), item.Path)
	}
	return string(key)
}

// maxLabel is the length of a DNS label, which names of volumes and containers are.
const maxLabel = 63

// withHash names something by what it is to be called, cut to the length of a label,
// and a hash of what it stands for.
func withHash(base string, content []byte) string {
	sum := sha256.Sum256(content)
	suffix := "-" + hex.EncodeToString(sum[:4])
	return strings.TrimRight(base[:min(len(base), maxLabel-len(suffix))], "-") + suffix
}

// freeName names a volume. Where the pod has a volume of that name, a hash of the
// content follows, so that the name does not depend on what else is injected.
func (v *volumes) freeName(base string, content func() string) string {
	name := base
	for attempt := 0; len(name) > maxLabel || v.ownByName.Has(name) || v.added.Find(name) >= 0; attempt++ {
		name = withHash(base, fmt.Appendf(nil, "%s %d", content(), attempt))
	}
	return name
}
