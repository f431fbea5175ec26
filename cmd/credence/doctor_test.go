// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

var update = flag.Bool("update", false, "write what doctor prints as what is wanted")

// TestDoctor examines a cluster in which no admission is: what asks for something did
// not get it.
func TestDoctor(t *testing.T) {
	cluster := newCluster(t)
	cluster.release()
	cluster.ail(t)
	for name, test := range map[string]struct {
		args   []string
		status int
	}{
		"table":      {nil, 1},
		"json":       {[]string{"-o", "json"}, 1},
		"repair":     {[]string{"--repair=evict"}, 1},
		"elsewhere":  {[]string{"-n", "default"}, 0},
		"here":       {[]string{"-n", "team-a", "--project-label=example.com/project"}, 0},
		"bad-output": {[]string{"-o", "yaml"}, 1},
		"bad-repair": {[]string{"--repair=carry"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			out, errors, status := cluster.doctor(t, test.args...)
			if status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			got := out
			if errors != "" {
				got += "--- standard error\n" + errors
			}
			file := filepath.Join("testdata", "doctor", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	var pods corev1.PodList
	if err := cluster.client.List(t.Context(), &pods); err != nil || len(pods.Items) != 4 {
		t.Errorf("there are %d pods (%v): one was evicted that nothing would inject into", len(pods.Items), err)
	}
}

// doctor runs the command. UIDs are left out of what it prints.
func (c *apiCluster) doctor(t *testing.T, args ...string) (out, errors string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := program(ctx, append([]string{"doctor", "--kubeconfig", c.kubeconfig}, args...)...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil && command.ProcessState == nil {
		t.Fatal(err)
	}
	out = stdout.String()
	var list corev1.PodList
	if err := c.client.List(ctx, &list); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		out = strings.ReplaceAll(out, string(list.Items[i].UID), "uid-of-"+list.Items[i].Name)
	}
	var deployments appsv1.DeploymentList
	if err := c.client.List(ctx, &deployments); err != nil {
		t.Fatal(err)
	}
	for i := range deployments.Items {
		out = strings.ReplaceAll(out, string(deployments.Items[i].UID), "uid-of-"+deployments.Items[i].Name)
	}
	return out, stderr.String(), command.ProcessState.ExitCode()
}

// ail makes what the doctor finds.
func (c *apiCluster) ail(t *testing.T) {
	t.Helper()
	create := func(object client.Object) {
		t.Helper()
		if err := c.client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	for name, kind := range map[string]v1alpha1.CredentialType{"openai": v1alpha1.Generic, "hub": v1alpha1.DockerRegistry} {
		credential := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name}}
		credential.Spec.Type, credential.Spec.Scope.Level, credential.Spec.SecretRef.Name = kind, v1alpha1.ScopeProject, name+"-secret"
		create(credential)
		credential.Status.ObservedGeneration = credential.Generation
		credential.Status.State = v1alpha1.StateNoIssuesFound
		credential.Status.Keys = []v1alpha1.SecretKey{{Key: "api-key"}}
		if kind == v1alpha1.DockerRegistry {
			credential.Status.Keys[0] = v1alpha1.SecretKey{Key: corev1.DockerConfigJsonKey, Role: "config"}
			credential.Status.Registries = []string{"registry.example.com"}
		}
		if err := c.client.Status().Update(t.Context(), credential); err != nil {
			t.Fatal(err)
		}
	}
	asks := map[string]string{v1alpha1.AnnotationCredentials: "openai"}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web"}, Annotations: asks},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "images.example.net/app"}}},
	}
	web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "web"}}
	web.Spec.Selector = &metav1.LabelSelector{MatchLabels: template.Labels}
	web.Spec.Template = template
	db := web.DeepCopy()
	db.Name, db.Annotations, db.Spec.Template.Annotations = "db", asks, nil
	create(web)
	create(db)
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "web-1"}}
	set.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: web.UID, Controller: new(true)}}
	set.Spec.Selector, set.Spec.Template = web.Spec.Selector, template
	create(set)
	of := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set.Name, UID: set.UID, Controller: new(true)}
	for name, change := range map[string]func(*corev1.Pod){
		"web-1-a": func(*corev1.Pod) {},
		"alone":   func(p *corev1.Pod) { p.OwnerReferences = nil },
		"waiting": func(p *corev1.Pod) { p.Annotations = nil; p.Spec.Containers[0].Image = "registry.example.com/app" },
		"sound": func(p *corev1.Pod) {
			p.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "openai-secret"}}}}
		},
	} {
		pod := &corev1.Pod{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: *template.Spec.DeepCopy()}
		pod.Namespace, pod.Name, pod.OwnerReferences = "team-a", name, []metav1.OwnerReference{of}
		change(pod)
		create(pod)
	}
}

// TestDoctorReleasesStrays: the release reaches the controller by its Lease.
func TestDoctorReleasesStrays(t *testing.T) {
	cluster := newCluster(t)
	if _, errors, status := cluster.doctor(t, "--release-strays"); status != 1 || !strings.Contains(errors, "Lease credence/credence-controller") {
		t.Errorf("without a Lease: exit status %d, %s", status, errors)
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "credence", Name: "credence-controller"}}
	if err := cluster.client.Create(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	out, errors, status := cluster.doctor(t, "--release-strays")
	if status != 0 || errors != "" || !strings.HasPrefix(out, "Until ") {
		t.Fatalf("exit status %d, %s, %s", status, out, errors)
	}
	if err := cluster.client.Get(t.Context(), types.NamespacedName{Namespace: "credence", Name: "credence-controller"}, lease); err != nil {
		t.Fatal(err)
	}
	until, err := time.Parse(time.RFC3339, lease.Annotations[v1alpha1.AnnotationReleaseStrays])
	if ahead := time.Until(until); err != nil || ahead <= 0 || ahead > time.Hour {
		t.Errorf("until %v (%v), which the guard does not take", until, err)
	}
}

// TestDoctorJSON: programs can read it.
func TestDoctorJSON(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "doctor", "json.txt"))
	if err != nil {
		t.Fatal(err)
	}
	out, _, _ := strings.Cut(string(text), "--- standard error")
	var report struct {
		Findings []struct {
			Kind     string
			Workload struct{ Kind, Namespace, Name string }
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Findings) != 4 {
		t.Errorf("%d findings: %v", len(report.Findings), err)
	}
}
