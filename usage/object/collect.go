// SPDX-License-Identifier: Apache-2.0

package object

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/injector/annotation"
)

// collector gathers what an object refers to.
type collector struct {
	list []Reference
	// readers are the containers that read a Secret through environment variables.
	readers []string
}

func (c *collector) add(kind Kind, name string, how How) {
	c.addRead(kind, name, how, 0)
}

func (c *collector) addRead(kind Kind, name string, how How, readers uint64) {
	if name != "" { // the API server takes some without
		c.list = append(c.list, Reference{kind, name, how, readers})
	}
}

// annotations adds the credentials and assets that annotations name.
func (c *collector) annotations(annotations map[string]string) {
	names := annotation.Names(annotations)
	for _, name := range names.Credentials {
		c.add(Credential, name, Uses)
	}
	c.add(Environment, names.Environment, Uses)
	for _, name := range names.DataSources {
		c.add(DataSource, name, Uses)
	}
	c.add(WorkloadTemplate, names.Template, Uses)
}

// template adds what a pod template refers to. Its pods get the pull secrets of
// their service account only if it names none itself.
func (c *collector) template(template *corev1.PodTemplateSpec, pull How) {
	c.annotations(template.Annotations)
	c.spec(&template.Spec, pull)
	if len(template.Spec.ImagePullSecrets) == 0 {
		account := template.Spec.ServiceAccountName
		if account == "" {
			account = "default"
		}
		c.add(ServiceAccount, account, Uses)
	}
}

// spec adds every Secret that a pod's spec names.
func (c *collector) spec(spec *corev1.PodSpec, pull How) {
	c.pullSecrets(spec.ImagePullSecrets, pull)
	for i := range spec.InitContainers {
		c.container(&spec.InitContainers[i])
	}
	for i := range spec.Containers {
		c.container(&spec.Containers[i])
	}
	for i := range spec.EphemeralContainers {
		container := corev1.Container(spec.EphemeralContainers[i].EphemeralContainerCommon)
		c.container(&container)
	}
	for i := range spec.Volumes {
		c.volume(&spec.Volumes[i].VolumeSource)
	}
}

func (c *collector) pullSecrets(list []corev1.LocalObjectReference, how How) {
	for i := range list {
		c.add(Secret, list[i].Name, how)
	}
}

func (c *collector) container(container *corev1.Container) {
	reader := uint64(1) << min(len(c.readers), MaxReaders-1)
	before := len(c.list)
	for i := range container.EnvFrom {
		if from := container.EnvFrom[i].SecretRef; from != nil {
			c.addRead(Secret, from.Name, Uses, reader)
		}
	}
	for i := range container.Env {
		if from := container.Env[i].ValueFrom; from != nil && from.SecretKeyRef != nil {
			c.addRead(Secret, from.SecretKeyRef.Name, Uses, reader)
		}
	}
	if len(c.list) > before {
		c.readers = append(c.readers, container.Name)
	}
}

// volume adds the Secrets of every kind of volume that has some.
func (c *collector) volume(v *corev1.VolumeSource) {
	if v.Secret != nil {
		c.add(Secret, v.Secret.SecretName, Uses)
	}
	if v.Projected != nil {
		for i := range v.Projected.Sources {
			if secret := v.Projected.Sources[i].Secret; secret != nil {
				c.add(Secret, secret.Name, Uses)
			}
		}
	}
	if v.AzureFile != nil {
		c.add(Secret, v.AzureFile.SecretName, Uses)
	}
	if secret := driverSecret(v); secret != nil {
		c.add(Secret, secret.Name, Uses)
	}
}

// driverSecret returns the Secret with which a storage driver logs in.
func driverSecret(v *corev1.VolumeSource) *corev1.LocalObjectReference {
	switch {
	case v.CSI != nil:
		return v.CSI.NodePublishSecretRef
	case v.FlexVolume != nil:
		return v.FlexVolume.SecretRef
	case v.CephFS != nil:
		return v.CephFS.SecretRef
	case v.RBD != nil:
		return v.RBD.SecretRef
	case v.ISCSI != nil:
		return v.ISCSI.SecretRef
	case v.ScaleIO != nil:
		return v.ScaleIO.SecretRef
	case v.StorageOS != nil:
		return v.StorageOS.SecretRef
	case v.Cinder != nil:
		return v.Cinder.SecretRef
	}
	return nil
}
