// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"path"
	"slices"

	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/search"
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
	if done, refusal := container.checkOwnMounts(g, mode); done || refusal != nil {
		return refusal
	}
	volume := g.volumeOf(mode)
	exists, refusal := p.checkPodMounts(container, g, func(name string) bool {
		return p.volumes.hasContent(name, volume.content, g.mount.Mode == nil)
	})
	if refusal != nil {
		return refusal
	}
	mount := ownedMount{mode: mode, grant: g, exists: exists}
	if !exists {
		if !certain {
			p.warnings.Add("container %s may run as any user: files of credential %q are readable by root only; set runAsUser, runAsNonRoot or a mode",
				annotation.Quote(container.Name), g.entry.Name)
		}
		if volume.name == "" {
			volume.name = p.volumes.named(g.entry.Name, volume.content)
		}
		mount.volume = volume.name
	}
	p.addMount(container, mount)
	return nil
}

// giveData adds a mount of what a container fetched.
func (p *plan) giveData(container *containerPlan, g *grant) *Refusal {
	if done, refusal := container.checkOwnMounts(g, 0); done || refusal != nil {
		return refusal
	}
	exists, refusal := p.checkPodMounts(container, g, func(name string) bool { return name == g.fetched.volume })
	if refusal != nil {
		return refusal
	}
	p.addMount(container, ownedMount{volume: g.fetched.volume, grant: g, exists: exists})
	return nil
}

func (p *plan) addMount(container *containerPlan, mount ownedMount) {
	container.mounts = append(container.mounts, mount)
	container.paths.Add(mount.grant.mount.Path)
	p.note(mount.grant, mount.grant.what)
}

// checkOwnMounts compares with what is already in the plan. It is done where the
// same mount is wanted twice.
func (c *containerPlan) checkOwnMounts(g *grant, mode int32) (done bool, refusal *Refusal) {
	at := c.paths.Conflict(g.mount.Path)
	if at < 0 {
		return false, nil
	}
	other := &c.mounts[at]
	path := other.grant.mount.Path
	switch {
	case path != g.mount.Path:
		return false, refuse(g.annotation, "mount path %s for %s and mount path %s for %s (annotation %s) lie in one another in container %s",
			g.mount.Path, g, path, other.grant, other.grant.annotation, annotation.Quote(c.Name))
	case g.entry != nil && sameCredential(other.grant.entry, g.entry) && other.mode == mode && slices.Equal(other.grant.mount.Items, g.mount.Items):
		return true, nil
	}
	return false, refuse(g.annotation, "mount path %s of container %s is wanted by %s (annotation %s) and by %s",
		g.mount.Path, annotation.Quote(c.Name), other.grant, other.grant.annotation, g)
}

// checkPodMounts compares with what the pod has. A mount with just our content is
// our own work, or as good; where no mode is asked for, whatever its mode: the
// user that the first one followed may be another by now.
func (p *plan) checkPodMounts(container *containerPlan, g *grant, isOurs func(volume string) bool) (exists bool, refusal *Refusal) {
	mounts, devices := container.ownPaths()
	var few [8]int32
	for _, i := range mounts.AtOrBelow(g.mount.Path, few[:0]) {
		mount := &container.VolumeMounts[i]
		switch other := absolute(mount.MountPath); {
		case other != g.mount.Path:
			return false, refuse(g.annotation, "mount path %s for %s is a parent of %s, where volume %s is mounted in container %s",
				g.mount.Path, g, annotation.Quote(other), annotation.Quote(mount.Name), annotation.Quote(container.Name))
		case mount.SubPath != "" || mount.SubExpr != "" || !isOurs(mount.Name):
			return false, refuse(g.annotation, "mount path %s for %s is taken by volume %s in container %s",
				g.mount.Path, g, annotation.Quote(mount.Name), annotation.Quote(container.Name))
		}
		exists = true
	}
	for _, i := range devices.AtOrBelow(g.mount.Path, few[:0]) {
		return false, refuse(g.annotation, "mount path %s for %s is taken by the device %s in container %s",
			g.mount.Path, g, annotation.Quote(absolute(container.VolumeDevices[i].DevicePath)), annotation.Quote(container.Name))
	}
	return exists, nil
}

// ownPaths makes the trees of what the container's author mounts and where his block
// devices are.
func (c *containerPlan) ownPaths() (mounts, devices *search.Tree) {
	if !c.hasTrees {
		c.mounted = treeOf(c.VolumeMounts, func(m *pod.VolumeMount) string { return m.MountPath })
		c.devices = treeOf(c.VolumeDevices, func(d *pod.VolumeDevice) string { return d.DevicePath })
		c.hasTrees = true
	}
	return &c.mounted, &c.devices
}

// treeOf cleans paths once: they may be long.
func treeOf[T any](list []T, path func(*T) string) search.Tree {
	paths := make([]string, len(list))
	for i := range list {
		paths[i] = absolute(path(&list[i]))
	}
	return search.NewTree(paths)
}

// absolute returns where the kubelet mounts: it takes relative paths for paths
// from the root.
func absolute(mountPath string) string {
	if !path.IsAbs(mountPath) {
		mountPath = "/" + mountPath
	}
	return path.Clean(mountPath) // does not allocate where there is nothing to clean
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
