// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"cmp"
	"fmt"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/pod"
)

// link is the name below the mount path at which the tree of a repository is.
const link = "repo"

// Git returns the container that fetches a repository, or the problem with it, as the
// rest of a sentence. The entry is nil for a public one, and the mode that of files
// with secrets, which the container's user can read.
func (s *Settings) Git(source *v1alpha1.GitSource, entry *catalog.Entry, mode int32) (container Container, problem string) {
	needs := asset.GitNeeds(source.Repository)
	if problem := wrongType(entry, needs, "the repository"); problem != "" {
		return Container{}, problem
	}
	container = s.newContainer(s.GitImage)
	container.Args = append(make([]string, 0, 12),
		"--repo="+verbatim(source.Repository), "--root="+DataPath, "--link="+link, "--depth=1", "--sync-timeout=30m")
	if ref := cmp.Or(source.Revision, source.Branch); ref != "" {
		container.Args = append(container.Args, "--ref="+verbatim(string(ref)))
	}
	if source.Period == nil {
		container.Args = append(container.Args, "--one-time", "--max-failures=5")
	} else {
		container.Args = append(container.Args, "--period="+verbatim(string(*source.Period)), "--max-failures=-1")
		container.stay("test -e " + DataPath + "/" + link)
	}
	container.set("HOME", scratchPath)
	if needs == v1alpha1.SSHKey {
		return container, container.ssh(source, entry, mode)
	}
	if entry != nil {
		problem = cmp.Or(container.setFrom("GITSYNC_USERNAME", entry, credential.RoleUsername),
			container.setFrom("GITSYNC_PASSWORD", entry, credential.RolePassword))
	}
	container.trust(s, entry, "GIT_SSL_CAINFO", mode)
	return container, problem
}

// ssh gives the key and the known hosts as files. ssh takes a key that others may
// read only if it is somebody else's, and files of a Secret are root's.
func (c *Container) ssh(source *v1alpha1.GitSource, entry *catalog.Entry, mode int32) (problem string) {
	var items []pod.KeyToPath
	if entry != nil {
		privateKey, problem := entry.Key(credential.RolePrivateKey)
		if problem != "" {
			return problem
		}
		items = append(items, pod.KeyToPath{Key: privateKey, Path: keyFile})
		c.Args = append(c.Args, "--ssh-key-file="+credentialPath+"/"+keyFile)
	}
	knownHosts, known := "", false
	if entry != nil {
		knownHosts, known = credential.FindKey(entry.Keys, credential.RoleKnownHosts)
	}
	switch {
	case source.SkipHostKeyCheck:
		c.Args = append(c.Args, "--ssh-known-hosts=false")
	case known:
		items = append(items, pod.KeyToPath{Key: knownHosts, Path: knownHostsFile})
		c.Args = append(c.Args, "--ssh-known-hosts-file="+credentialPath+"/"+knownHostsFile)
	default:
		return "the key of the repository's host is not known: it needs a credential with the key known_hosts, or skipHostKeyCheck"
	}
	if entry != nil {
		c.Mounts = append(c.Mounts, Mount{Path: credentialPath, ReadOnly: true, Volume: pod.Volume{Secret: secret(entry, mode, items...)}})
	}
	return ""
}

func wrongType(entry *catalog.Entry, needs v1alpha1.CredentialType, what string) string {
	if entry == nil || entry.Definition.Type == needs {
		return ""
	}
	return fmt.Sprintf("%s takes a credential of type %s, and credential %q is of type %s", what, needs, entry.Name, entry.Definition.Type)
}
