// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Their data is in volumes that live as long as the pod: it is there again after a node
// was started again, and gone with the pod.

func (s *Stage) registryPod() corev1.PodSpec {
	mounts := []corev1.VolumeMount{{Name: "data", MountPath: "/data"}, {Name: "htpasswd", MountPath: "/htpasswd"}}
	router := container("router", s.built.registry.name, "/router", fmt.Sprintf("-listen=:%d", registryPort))
	router.ReadinessProbe = ready(corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(registryPort)}})
	var all []corev1.Container
	for i, path := range []string{Red, Blue} {
		address := fmt.Sprintf("127.0.0.1:%d", registryPort+1+i)
		router.Args = append(router.Args, "-route="+path+"=http://"+address)
		registry := container(path, s.built.registry.name, "/registry", "serve", "/config.yml")
		registry.VolumeMounts = mounts
		registry.Env = []corev1.EnvVar{
			{Name: "REGISTRY_HTTP_ADDR", Value: address},
			{Name: "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", Value: "/data/" + path},
			{Name: "REGISTRY_AUTH_HTPASSWD_PATH", Value: "/htpasswd/" + path},
			{Name: "OTEL_TRACES_EXPORTER", Value: "none"},
		}
		all = append(all, registry)
	}
	return pod(append(all, router), empty("data"), secret("htpasswd", registryName))
}

func (s *Stage) gitPod() corev1.PodSpec {
	mounts := []corev1.VolumeMount{
		{Name: "repositories", MountPath: "/repositories"},
		{Name: "tmp", MountPath: "/tmp"},
		{Name: "tls", MountPath: "/tls"},
	}
	https := container("https", s.built.git.name, "/usr/bin/gitserver", fmt.Sprintf("-listen=:%d", securePort))
	https.VolumeMounts = append(slices.Clone(mounts), corev1.VolumeMount{Name: "logins", MountPath: "/logins"})
	https.ReadinessProbe = ready(corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
		Path: "/healthz", Port: intstr.FromInt32(securePort), Scheme: corev1.URISchemeHTTPS,
	}})
	// Its name in full: it starts itself again for each client.
	ssh := container("ssh", s.built.git.name, "/usr/sbin/sshd", "-D", "-e", "-f", "/etc/sshd.stage")
	ssh.VolumeMounts = append(slices.Clone(mounts), corev1.VolumeMount{Name: "logins", MountPath: "/ssh"})
	ssh.ReadinessProbe = ready(corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(2222)}})
	return pod([]corev1.Container{https, ssh}, empty("repositories"), empty("tmp"), secret("tls", tlsName), secret("logins", gitName))
}

func (s *Stage) s3Pod() corev1.PodSpec {
	server := container("s3", s.built.s3.name, "rclone", "serve", "s3", "/buckets",
		fmt.Sprintf("--addr=:%d", securePort), "--cert=/tls/tls.crt", "--key=/tls/tls.key", "--cache-dir=/tmp")
	server.Env = []corev1.EnvVar{
		{Name: "HOME", Value: "/tmp"}, {Name: "RCLONE_CONFIG", Value: "/dev/null"},
		{Name: "RCLONE_AUTH_KEY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: s3Name}, Key: "auth",
		}}},
	}
	server.VolumeMounts = []corev1.VolumeMount{
		{Name: "buckets", MountPath: "/buckets"}, {Name: "tmp", MountPath: "/tmp"}, {Name: "tls", MountPath: "/tls"},
	}
	server.ReadinessProbe = ready(corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(securePort)}})
	return pod([]corev1.Container{server}, empty("buckets"), empty("tmp"), secret("tls", tlsName))
}

func ready(handler corev1.ProbeHandler) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: handler, PeriodSeconds: 1, TimeoutSeconds: 5}
}

func container(name, image string, command ...string) corev1.Container {
	return corev1.Container{
		Name: name, Image: image, Command: command[:1], Args: command[1:],
		ImagePullPolicy: corev1.PullNever, // the nodes have it, or it cannot be had
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi"),
		}},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

// pod is a pod that stays where it is through most trouble that scenarios make: on the
// node of the control plane if it may, also while that is unreachable.
func pod(containers []corev1.Container, volumes ...corev1.Volume) corev1.PodSpec {
	return corev1.PodSpec{
		Containers: containers, Volumes: volumes,
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false), // REGISTRY_PORT would be a setting of the registry
		TerminationGracePeriodSeconds: new(int64(1)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsUser: new(int64(user)), RunAsGroup: new(int64(user)), FSGroup: new(int64(user)), RunAsNonRoot: new(true),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Tolerations: []corev1.Toleration{
			{Key: controlPlaneLabel, Operator: corev1.TolerationOpExists},
			{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists},
			{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists},
		},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
				Weight: 100,
				Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: controlPlaneLabel, Operator: corev1.NodeSelectorOpExists},
				}},
			}},
		}},
	}
}

func empty(name string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
}

// secret is for the pod's group alone. It is root's, so sshd takes a key that a group
// may read.
func secret(name, of string) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: of, DefaultMode: new(int32(0o440))},
	}}
}
