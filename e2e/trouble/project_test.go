// SPDX-License-Identifier: Apache-2.0

package trouble

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/compile"
	"github.com/credence-dev/credence/e2e/image"
	"github.com/credence-dev/credence/e2e/live"
	"github.com/credence-dev/credence/e2e/stage"
	"github.com/credence-dev/credence/e2e/stage/report"
)

const (
	department   = "trouble"
	credentials  = "credence-credentials"
	registryHost = "registry.trouble.example.com"
	value        = "not-a-secret"
)

// What a pod names, and what becomes of it.
const (
	key, keyCopy       = "trouble-key", "genericsecret-trouble-key"
	login, loginCopy   = "trouble-login", "password-trouble-login"
	hub, hubCopy       = "trouble-hub", "dockerregistry-trouble-hub"
	deploy, deployCopy = "trouble-deploy", "sshkey-trouble-deploy"
	deployPath         = "/etc/credence/trouble-deploy"
	userVariable       = "TROUBLE_LOGIN_USERNAME"
	passwordVariable   = "TROUBLE_LOGIN_PASSWORD"
)

var asking = map[string]string{v1alpha1.AnnotationCredentials: strings.Join([]string{key, login, hub, deploy}, ",")}

// project is one whose pods use a credential of each way of injection, and what runs in
// it from the beginning to the end.
type project struct {
	namespace string
	image     string
}

// newProject makes it. The credentials are those of a department, so that they are
// copied, and nothing outside of it sees them.
func newProject(ctx context.Context) (*project, error) {
	// A run before may have been interrupted.
	left := &corev1.NamespaceList{}
	if err := world.Client.List(ctx, left, client.MatchingLabels{v1alpha1.LabelDepartment: department}); err != nil {
		return nil, err
	}
	for _, namespace := range left.Items {
		if err := remove(ctx, &namespace); err != nil {
			return nil, err
		}
	}
	p := &project{}
	var err error
	if p.image, err = loadProbe(ctx); err != nil {
		return nil, err
	}
	p.namespace = fmt.Sprintf("trouble-%d", time.Now().Unix()) // another than that of a run before, which may not be gone yet
	if err := world.Client.Create(ctx, newNamespace(p.namespace)); err != nil {
		return nil, err
	}
	for name, source := range sources() {
		if err := makeCredential(ctx, name, source); err != nil {
			return nil, fmt.Errorf("making credential %s: %w", name, err)
		}
	}
	if err := live.Await(ctx, within, "the copies", func(ctx context.Context) error { return copied(ctx, p.namespace) }); err != nil {
		return nil, err
	}
	if err := world.Client.Create(ctx, p.app()); err != nil {
		return nil, err
	}
	return p, live.Await(ctx, within, "the app", p.appWorks)
}

// remove removes what newProject made.
func (p *project) remove(ctx context.Context) error {
	gone := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}}}
	for name := range sources() {
		meta := metav1.ObjectMeta{Namespace: credentials, Name: name}
		gone = append(gone, &v1alpha1.Credential{ObjectMeta: meta}, &corev1.Secret{ObjectMeta: meta})
	}
	for _, object := range gone {
		if err := remove(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// remove removes an object, and waits until it is gone. A credential is in use until
// the pods of the namespace are gone.
func remove(ctx context.Context, object client.Object) error {
	return live.Await(ctx, within, "the end of "+object.GetName(), func(ctx context.Context) error {
		err := world.Client.Delete(ctx, object)
		if err == nil {
			return errors.New("it is there")
		}
		return client.IgnoreNotFound(err)
	})
}

// source is what a credential is made of.
type source struct {
	kind       v1alpha1.CredentialType
	label      string
	secretType corev1.SecretType
	data       map[string]string
}

func sources() map[string]source {
	return map[string]source{
		key:    {v1alpha1.Generic, "generic", corev1.SecretTypeOpaque, map[string]string{"TROUBLE_KEY": value}},
		login:  {v1alpha1.Password, "password", corev1.SecretTypeBasicAuth, map[string]string{"username": "trouble", "password": value}},
		deploy: {v1alpha1.SSHKey, "generic", corev1.SecretTypeSSHAuth, map[string]string{"ssh-privatekey": value}},
		hub: {v1alpha1.DockerRegistry, "docker-registry", corev1.SecretTypeDockerConfigJson,
			map[string]string{corev1.DockerConfigJsonKey: fmt.Sprintf(`{"auths":{%q:{}}}`, registryHost)}},
	}
}

// makeCredential makes a credential with its source, unless a run before left it.
func makeCredential(ctx context.Context, name string, from source) error {
	meta := metav1.ObjectMeta{Namespace: credentials, Name: name}
	secret := &corev1.Secret{ObjectMeta: meta, Type: from.secretType, StringData: from.data}
	secret.Labels = map[string]string{v1alpha1.LabelSourceType: from.label, v1alpha1.LabelSourceDepartment: department}
	credential := &v1alpha1.Credential{ObjectMeta: meta, Spec: v1alpha1.CredentialSpec{
		Type: from.kind, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: department},
		SecretRef: v1alpha1.SecretReference{Name: name},
	}}
	for _, object := range []client.Object{secret, credential} {
		if err := client.IgnoreAlreadyExists(world.Client.Create(ctx, object)); err != nil {
			return err
		}
	}
	if err := world.Client.Get(ctx, client.ObjectKeyFromObject(credential), credential); err != nil {
		return err
	}
	if credential.DeletionTimestamp != nil {
		return errors.New("that of a run before is being deleted")
	}
	return nil
}

// newNamespace is a project of the department.
func newNamespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{v1alpha1.LabelProject: name, v1alpha1.LabelDepartment: department},
	}}
}

// copies are those in a project, as they are stored.
func copies(ctx context.Context, namespace string) ([]corev1.Secret, error) {
	list := &corev1.SecretList{}
	err := world.Client.List(ctx, list, client.InNamespace(namespace), client.HasLabels{v1alpha1.LabelCopyOf})
	return list.Items, err
}

// copied says which copies a project lacks.
func copied(ctx context.Context, namespace string) error {
	there, err := copies(ctx, namespace)
	if err == nil && len(there) != len(sources()) {
		err = fmt.Errorf("there are %d", len(there))
	}
	return err
}

// app runs on the nodes, and says what it has.
func (p *project) app() *appsv1.Deployment {
	labels := map[string]string{"app": "app"}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "app"}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: asking}, Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64(1)),
			SecurityContext:               &corev1.PodSecurityContext{RunAsUser: new(int64(65532))},
			Containers: []corev1.Container{{
				Name: "main", Image: p.image, ImagePullPolicy: corev1.PullNever,
				Args: stage.ProbeArgs([]string{"TROUBLE_KEY", userVariable, passwordVariable}, deployPath+"/ssh-privatekey"),
			}},
		}},
	}}
}

// appWorks says what the app lacks: pods, or what their containers see.
func (p *project) appWorks(ctx context.Context) error {
	if err := world.RolledOut(ctx, p.namespace, "app"); err != nil {
		return err
	}
	pods := &corev1.PodList{}
	if err := world.Client.List(ctx, pods, client.InNamespace(p.namespace), client.MatchingLabels{"app": "app"}); err != nil {
		return err
	}
	for _, pod := range pods.Items {
		if missing := lacks(&pod); missing != "" {
			return fmt.Errorf("pod %s lacks %s", pod.Name, missing)
		}
		stream, err := world.Clientset.CoreV1().Pods(p.namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).Stream(ctx)
		if err != nil {
			return err
		}
		seen, err := report.Read(stream)
		if err = errors.Join(err, stream.Close()); err != nil {
			return err
		}
		if !seen.HasEnv("TROUBLE_KEY", value) || !seen.HasEnv(userVariable, "trouble") || !seen.HasEnv(passwordVariable, value) ||
			!seen.HasFile(deployPath+"/ssh-privatekey", value) {
			return fmt.Errorf("the container of pod %s does not see its credentials", pod.Name)
		}
	}
	return nil
}

// lacks says what a pod that asks does not have, by its content.
func lacks(pod *corev1.Pod) string {
	main := pod.Spec.Containers[0]
	hasKey := slices.ContainsFunc(main.EnvFrom, func(from corev1.EnvFromSource) bool { return from.SecretRef != nil && from.SecretRef.Name == keyCopy })
	variable := func(name, dataKey string) bool {
		want := &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: loginCopy}, Key: dataKey}
		return slices.ContainsFunc(main.Env, func(has corev1.EnvVar) bool {
			return has.Name == name && has.ValueFrom != nil && reflect.DeepEqual(has.ValueFrom.SecretKeyRef, want)
		})
	}
	pulls := slices.Contains(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: hubCopy})
	mounted := slices.ContainsFunc(main.VolumeMounts, func(mount corev1.VolumeMount) bool {
		return mount.MountPath == deployPath && slices.ContainsFunc(pod.Spec.Volumes, func(volume corev1.Volume) bool {
			return volume.Name == mount.Name && volume.Secret != nil && volume.Secret.SecretName == deployCopy
		})
	})
	switch {
	case !hasKey:
		return "its key"
	case !variable(userVariable, "username") || !variable(passwordVariable, "password"):
		return "its login"
	case !pulls:
		return "its pull secret"
	case !mounted:
		return "its files"
	}
	return ""
}

// loadProbe gives the nodes an image of the probe, and returns its name.
func loadProbe(ctx context.Context) (string, error) {
	dir, err := os.MkdirTemp("", "credence-probe-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "probe")
	if _, err := compile.Go(ctx, "", "build", "-trimpath", "-tags=netgo,osusergo", "-ldflags=-s -w", "-o", program,
		"github.com/credence-dev/credence/e2e/stage/cmd/probe"); err != nil {
		return "", fmt.Errorf("compiling the probe: %w", err)
	}
	made, err := image.Of(map[string]image.File{"probe": {From: program}}, v1.Config{Entrypoint: []string{"/probe"}, User: "65532:65532"})
	if err != nil {
		return "", err
	}
	digest, err := made.Digest()
	if err != nil {
		return "", err
	}
	name := "trouble.test/probe:" + digest.Hex[:12]
	return name, world.Cluster.Load(ctx, map[string]v1.Image{name: made})
}
