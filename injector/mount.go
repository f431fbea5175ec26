// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
)

// Modes of mounted files, where none is asked for. A container that does not run
// as root reads its files through the group if the volume is given one, and
// could not read them at all with the first two modes otherwise.
const (
	modeRoot    = 0o400
	modeFSGroup = 0o440
	modeOther   = 0o444

	// modeDefault is what the API server sets on a Secret volume without a mode.
	modeDefault = 0o644
)

// giveMount adds a mount, refusing a path that is taken or that would hide
// another mount.
func (p *plan) giveMount(container *containerPlan, g *grant) *Refusal {
	mode, certain := p.mode(container, g)
	content := pod.SecretVolume{SecretName: g.entry.KubernetesName, DefaultMode: &mode, Items: items(g.mount.Items)}
	if done, refusal := p.checkOwnMounts(container, g, mode); done || refusal != nil {
		return refusal
	}
	exists, refusal := p.checkPodMounts(container, g, &content)
	if refusal != nil {
		return refusal
	}
	mount := ownedMount{path: g.mount.Path, mode: mode, grant: g, exists: exists}
	if !exists {
		if !certain {
			p.warnings.add("container %s may run as any user: files of credential %q are readable by root only; set runAsUser, runAsNonRoot or a mode",
				annotation.Quote(container.Name), g.entry.Name)
		}
		mount.volume = p.volume(g.entry.Name, content)
	}
	container.mounts = append(container.mounts, mount)
	p.record.add(g.entry.Name, "mount "+g.mount.Path)
	return nil
}

// checkOwnMounts compares with what is already in the plan. It is done where the
// same mount is wanted twice.
func (p *plan) checkOwnMounts(container *containerPlan, g *grant, mode int32) (done bool, refusal *Refusal) {
	for i := range container.mounts {
		other := &container.mounts[i]
		if other.path != g.mount.Path && !annotation.Below(other.path, g.mount.Path) && !annotation.Below(g.mount.Path, other.path) {
			continue
		}
		if other.path == g.mount.Path && other.grant.entry == g.entry && other.mode == mode &&
			slices.Equal(other.grant.mount.Items, g.mount.Items) {
			return true, nil
		}
		if other.path == g.mount.Path {
			return false, refuse(g.annotation, "mount path %s of container %s is wanted by credential %q (annotation %s) and by credential %q",
				g.mount.Path, annotation.Quote(container.Name), other.grant.entry.Name, other.grant.annotation, g.entry.Name)
		}
		return false, refuse(g.annotation, "mount path %s for credential %q and mount path %s for credential %q (annotation %s) lie in one another in container %s",
			g.mount.Path, g.entry.Name, other.path, other.grant.entry.Name, other.grant.annotation, annotation.Quote(container.Name))
	}
	return false, nil
}

// checkPodMounts compares with what the pod has. A mount with just our content is
// our own work, or as good; where no mode is asked for, whatever its mode: the
// user that the first one followed may be another by now.
func (p *plan) checkPodMounts(container *containerPlan, g *grant, content *pod.SecretVolume) (exists bool, refusal *Refusal) {
	for i := range container.VolumeMounts {
		mount := &container.VolumeMounts[i]
		switch other := absolute(mount.MountPath); {
		case other == g.mount.Path:
			if mount.SubPath == "" && mount.SubExpr == "" && p.isContentOf(mount.Name, content, g.mount.Mode == nil) {
				exists = true
				continue
			}
			return false, refuse(g.annotation, "mount path %s for credential %q is taken by volume %s in container %s",
				g.mount.Path, g.entry.Name, annotation.Quote(mount.Name), annotation.Quote(container.Name))
		case annotation.Below(other, g.mount.Path):
			return false, refuse(g.annotation, "mount path %s for credential %q is a parent of %s, where volume %s is mounted in container %s",
				g.mount.Path, g.entry.Name, annotation.Quote(other), annotation.Quote(mount.Name), annotation.Quote(container.Name))
		}
	}
	for _, device := range container.VolumeDevices {
		if other := absolute(device.DevicePath); other == g.mount.Path || annotation.Below(other, g.mount.Path) {
			return false, refuse(g.annotation, "mount path %s for credential %q is taken by the device %s in container %s",
				g.mount.Path, g.entry.Name, annotation.Quote(other), annotation.Quote(container.Name))
		}
	}
	return exists, nil
}

// absolute returns where the kubelet mounts: it takes relative paths for paths
// from the root.
func absolute(mountPath string) string {
	if !path.IsAbs(mountPath) {
		mountPath = "/" + mountPath
	}
	return path.Clean(mountPath) // does not allocate where there is nothing to clean
}

func items(wanted []annotation.Item) []pod.KeyToPath {
	if len(wanted) == 0 {
		return nil
	}
	items := make([]pod.KeyToPath, len(wanted))
	for i, item := range wanted {
		items[i] = pod.KeyToPath{Key: item.Key, Path: item.File}
	}
	return items
}

// mode returns the mode of the files: what is asked for, else what the user that
// the container runs as can read. It is not certain where that user is unknown,
// who then counts as root.
func (p *plan) mode(container *containerPlan, g *grant) (mode int32, certain bool) {
	if g.mount.Mode != nil {
		return *g.mount.Mode, true
	}
	switch known, root := effectiveUser(container.SecurityContext, p.spec.SecurityContext); {
	case !known:
		return modeRoot, false
	case root:
		return modeRoot, true
	case p.spec.SecurityContext != nil && p.spec.SecurityContext.FSGroup != nil:
		return modeFSGroup, true
	}
	return modeOther, true
}

// effectiveUser says whether a container is known to run as root or as somebody
// else: by its own runAsUser, then the pod's, then by runAsNonRoot.
func effectiveUser(ofContainer, ofPod *pod.SecurityContext) (known, root bool) {
	contexts := [2]*pod.SecurityContext{ofContainer, ofPod}
	for _, c := range contexts {
		if c != nil && c.RunAsUser != nil {
			return true, *c.RunAsUser == 0
		}
	}
	for _, c := range contexts {
		if c != nil && c.RunAsNonRoot != nil {
			return *c.RunAsNonRoot, false
		}
	}
	return false, false
}

// volume returns the name of a volume with this content: one that the pod has,
// one that is planned, or a new one.
func (p *plan) volume(credentialName string, content pod.SecretVolume) string {
	for i := range p.spec.Volumes {
		if name := p.spec.Volumes[i].Name; sameContent(p.spec.Volumes[i].Secret, &content, false) && p.isContentOf(name, &content, false) {
			return name
		}
	}
	for i := range p.volumes {
		if sameContent(p.volumes[i].Secret, &content, false) {
			return p.volumes[i].Name
		}
	}
	name := p.freeName(credentialName, &content)
	p.volumes = append(p.volumes, pod.Volume{Name: name, Secret: &content})
	return name
}

// isContentOf says whether a volume of the pod has this content. Of several with
// one name, which the API server refuses later, it is the first.
func (p *plan) isContentOf(volume string, content *pod.SecretVolume, anyMode bool) bool {
	for i := range p.spec.Volumes {
		if p.spec.Volumes[i].Name == volume {
			return sameContent(p.spec.Volumes[i].Secret, content, anyMode)
		}
	}
	return false
}

func sameContent(existing, wanted *pod.SecretVolume, anyMode bool) bool {
	if existing == nil || existing.SecretName != wanted.SecretName || existing.Optional {
		return false
	}
	mode := int32(modeDefault)
	if existing.DefaultMode != nil {
		mode = *existing.DefaultMode
	}
	return (anyMode || mode == *wanted.DefaultMode) && slices.EqualFunc(existing.Items, wanted.Items, func(a, b pod.KeyToPath) bool {
		return a.Key == b.Key && a.Path == b.Path && a.Mode == nil
	})
}

// maxVolumeName is the length of a DNS label.
const maxVolumeName = 63

// freeName names a volume after the credential. Where the pod has a volume of
// that name, a hash of the content follows, so that the name does not depend on
// what else is injected.
func (p *plan) freeName(credentialName string, content *pod.SecretVolume) string {
	name := "credence-" + credentialName
	for attempt := 0; len(name) > maxVolumeName || p.volumeExists(name); attempt++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %o %+v %d", content.SecretName, *content.DefaultMode, content.Items, attempt))
		suffix := "-" + hex.EncodeToString(sum[:4])
		base := "credence-" + credentialName
		base = strings.TrimRight(base[:min(len(base), maxVolumeName-len(suffix))], "-")
		name = base + suffix
	}
	return name
}

func (p *plan) volumeExists(name string) bool {
	named := func(v pod.Volume) bool { return v.Name == name }
	return slices.ContainsFunc(p.spec.Volumes, named) || slices.ContainsFunc(p.volumes, named)
}
