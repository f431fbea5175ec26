// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The names of Deployments, Services and Secrets, and what else they have in common.
const (
	registryName = "registry"
	gitName      = "git"
	s3Name       = "s3"
	tlsName      = "tls"

	registryPort = 5000
	securePort   = 8443

	controlPlaneLabel = "node-role.kubernetes.io/control-plane"
)

// Stop removes the stage, and returns when it is gone.
func (s *Stage) Stop(ctx context.Context) error {
	namespaces := s.kube.CoreV1().Namespaces()
	if err := namespaces.Delete(ctx, Namespace, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("removing the namespace %s: %w", Namespace, err)
	}
	return poll(ctx, "the namespace "+Namespace+" to go", func() error {
		_, err := namespaces.Get(ctx, Namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil {
			err = fmt.Errorf("it is there")
		}
		return err
	})
}

// deploy creates everything.
func (s *Stage) deploy(ctx context.Context, l *logins) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Namespace, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted",
	}}}
	if _, err := s.kube.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("creating the namespace %s: %w", Namespace, err)
	}
	secrets, err := l.secrets()
	if err != nil {
		return err
	}
	for name, data := range secrets {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}
		if _, err := s.kube.CoreV1().Secrets(Namespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating the Secret %s of the stage: %w", name, err)
		}
	}
	for name, pod := range map[string]corev1.PodSpec{registryName: s.registryPod(), gitName: s.gitPod(), s3Name: s.s3Pod()} {
		if _, err := s.kube.AppsV1().Deployments(Namespace).Create(ctx, deployment(name, pod), metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating the Deployment %s: %w", name, err)
		}
	}
	return nil
}

func (l *logins) secrets() (map[string]map[string][]byte, error) {
	all := map[string]map[string][]byte{
		registryName: {},
		gitName: {
			"username": []byte(l.git.Username), "password": []byte(l.git.Password), "keeper": []byte(l.keeper.Password),
			"host": l.hostKey, "authorized": l.authorized,
		},
		// rclone reads it as a line of a table, with a comma between two values of its own.
		s3Name:  {"auth": fmt.Appendf(nil, "\"%s,%s\"", l.s3.Username, l.s3.Password)},
		tlsName: {corev1.TLSCertKey: l.serverCert, corev1.TLSPrivateKeyKey: l.server},
	}
	for path, login := range l.registry {
		line, err := login.htpasswd()
		if err != nil {
			return nil, fmt.Errorf("hashing a password: %w", err)
		}
		all[registryName][path] = line
	}
	return all, nil
}

// services creates the Services and returns them with their addresses and ports.
func (s *Stage) services(ctx context.Context) (map[string]corev1.Service, error) {
	all := map[string]corev1.Service{}
	for name, ports := range map[string][]corev1.ServicePort{
		registryName: {{Name: "http", Port: registryPort, TargetPort: intstr.FromInt32(registryPort)}},
		gitName: {
			{Name: "https", Port: 443, TargetPort: intstr.FromInt32(securePort)},
			{Name: "ssh", Port: 22, TargetPort: intstr.FromInt32(2222)},
		},
		s3Name: {{Name: "https", Port: 443, TargetPort: intstr.FromInt32(securePort)}},
	} {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Selector: labels(name), Ports: ports},
		}
		made, err := s.kube.CoreV1().Services(Namespace).Create(ctx, service, metav1.CreateOptions{})
		if err != nil {
			return nil, fmt.Errorf("creating the Service %s: %w", name, err)
		}
		all[name] = *made
	}
	return all, nil
}

func labels(name string) map[string]string { return map[string]string{"app": name} }

func deployment(name string, pod corev1.PodSpec) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Selector: &metav1.LabelSelector{MatchLabels: labels(name)},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels(name)}, Spec: pod},
		},
	}
}
