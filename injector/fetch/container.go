// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/pod"
)

// Where a fetching container has its volumes.
const (
	// DataPath is where it fetches to.
	DataPath       = "/data"
	scratchPath    = "/tmp"
	credentialPath = "/credential"
	caPath         = "/ca"

	keyFile        = "private-key"
	knownHostsFile = "known-hosts"
)

// CAKey is the key of a credential, and of the ConfigMap of a cluster, with the
// certificates to trust.
const CAKey = "ca.crt"

// securityContext is what the restricted Pod Security Standard asks for, and more. The
// user, whatever the image says, is git-sync's own, without which ssh does not run.
var securityContext = jsontext.Value(`{"runAsUser":65533,"runAsGroup":65533,"runAsNonRoot":true,` +
	`"allowPrivilegeEscalation":false,"readOnlyRootFilesystem":true,` +
	`"capabilities":{"drop":["ALL"]},"seccompProfile":{"type":"RuntimeDefault"}}`)

// Container fetches one data source.
type Container struct {
	// Container is without a name, and has no volume mounts.
	pod.NewContainer
	// Mounts are its volume mounts, each with its volume.
	Mounts []Mount
}

// Mount is a volume without a name, and where it is mounted.
type Mount struct {
	Path     string
	ReadOnly bool
	Volume   pod.Volume
}

// newContainer makes what all of them have.
func (s *Settings) newContainer(image string) Container {
	return Container{
		NewContainer: pod.NewContainer{
			Image:     image,
			Resources: pod.Resources{Requests: s.Requests, Limits: s.Limits},
			// Why a fetch failed is seen in the status of the pod.
			TerminationMessagePolicy: "FallbackToLogsOnError",
			SecurityContext:          securityContext,
		},
		Mounts: append(make([]Mount, 0, 4),
			Mount{Path: DataPath, Volume: s.data()},
			Mount{Path: scratchPath, Volume: scratch},
		),
	}
}

// scratch is for what a program writes besides the data.
var scratch = pod.Volume{EmptyDir: &pod.EmptyDirVolume{SizeLimit: []byte(`"64Mi"`)}}

// stay makes a container run as long as the pod, as a native sidecar. The containers
// behind it wait until a command succeeds: for a day, so that large data has time.
func (c *Container) stay(started string) {
	c.RestartPolicy = "Always"
	c.StartupProbe = &pod.Probe{Exec: pod.Exec{Command: []string{"sh", "-c", started}}, PeriodSeconds: 2, FailureThreshold: 24 * 60 * 60 / 2}
}

// trust mounts the certificates that are to be trusted instead of the image's own, of
// the credential or else of the cluster, and names their file in a variable.
func (c *Container) trust(s *Settings, entry *catalog.Entry, variable string, mode int32) {
	volume := pod.Volume{}
	switch {
	case entry != nil && slices.ContainsFunc(entry.Keys, func(k v1alpha1.SecretKey) bool { return k.Key == CAKey }):
		volume.Secret = secret(entry, mode, pod.KeyToPath{Key: CAKey, Path: CAKey})
	case s.CAConfigMap != "":
		volume.ConfigMap = &pod.ConfigMapVolume{Name: s.CAConfigMap}
	default:
		return
	}
	c.Mounts = append(c.Mounts, Mount{Path: caPath, ReadOnly: true, Volume: volume})
	c.set(variable, caPath+"/"+CAKey)
}

// set sets a variable to a text of ours.
func (c *Container) set(variable, value string) {
	c.Env = append(c.Env, pod.EnvVar{Name: variable, Value: pod.Text(value)})
}

// setFrom sets a variable to what plays a role of a credential.
func (c *Container) setFrom(variable string, entry *catalog.Entry, role string) (problem string) {
	secretKey, problem := entry.Variable(role)
	c.Env = append(c.Env, pod.EnvVar{Name: variable, ValueFrom: &pod.EnvVarSource{
		SecretKeyRef: &pod.SecretKeyRef{Name: entry.KubernetesName, Key: secretKey},
	}})
	return problem
}

func secret(entry *catalog.Entry, mode int32, items ...pod.KeyToPath) *pod.SecretVolume {
	return &pod.SecretVolume{SecretName: entry.KubernetesName, DefaultMode: &mode, Items: items}
}

// verbatim keeps the kubelet from expanding $(VAR) in what somebody wrote.
func verbatim(text string) string { return strings.ReplaceAll(text, "$", "$$") }
