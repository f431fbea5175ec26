// SPDX-License-Identifier: Apache-2.0

package stage_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/e2e/stage"
	"github.com/credence-dev/credence/e2e/stage/report"
	"github.com/credence-dev/credence/injector/fetch"
)

// A node pulls with the login of a registry, and with no other: two registries on one
// host do not take each other's.
func TestRegistries(t *testing.T) {
	w := onCluster(t)
	for _, path := range []string{stage.Red, stage.Blue} {
		w.secret(t, "login-"+path, corev1.SecretTypeDockerConfigJson, map[string][]byte{
			corev1.DockerConfigJsonKey: w.Registry.DockerConfig(path),
		})
	}
	for name, test := range map[string]struct {
		path, secret string
		pulled       bool
	}{
		"red":                 {path: stage.Red, secret: "login-red", pulled: true},
		"blue":                {path: stage.Blue, secret: "login-blue", pulled: true},
		"red-without":         {path: stage.Red},
		"red-with-another":    {path: stage.Red, secret: "login-blue"},
		"blue-with-that-path": {path: stage.Blue, secret: "login-red"},
	} {
		t.Run(name, func(t *testing.T) {
			probe, err := w.Probe(t.Name() + fmt.Sprint(w.Registry.Login(test.path).Username, metav1.Now().UnixNano()))
			if err != nil {
				t.Fatal(err)
			}
			reference, err := w.Registry.Push(t.Context(), test.path, name+":1", probe)
			if err != nil {
				t.Fatal(err)
			}
			spec := corev1.PodSpec{Containers: []corev1.Container{{
				Name: "main", Image: reference, Args: stage.ProbeArgs([]string{"GIVEN"}),
				Env: []corev1.EnvVar{{Name: "GIVEN", Value: "not-a-secret"}},
			}}}
			if test.secret != "" {
				spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: test.secret}}
			}
			w.pod(t, name, spec)
			if test.pulled {
				w.awaitSeen(t, name, func(seen report.Seen) bool { return seen.HasEnv("GIVEN", "not-a-secret") })
				return
			}
			await(t, "the refusal", func() (bool, string) {
				state := w.state(t, name)
				if strings.Contains(state, "Running") {
					t.Fatalf("it runs")
				}
				return strings.Contains(state, "ErrImagePull") || strings.Contains(state, "ImagePullBackOff"), state
			})
		})
	}
}

func credentialOf(name string, kind v1alpha1.CredentialType, keys ...v1alpha1.SecretKey) *catalog.Entry {
	return catalog.NewEntry(&v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1},
		Spec:       v1alpha1.CredentialSpec{Type: kind, Scope: v1alpha1.Scope{Level: v1alpha1.ScopeCluster}},
		Status:     v1alpha1.CredentialStatus{ObservedGeneration: 1, Keys: keys},
	})
}

// fetching is a pod with the container that Credence generates, as the API server and
// the kubelet read it, and a probe of files below /fetched.
func (w *world) fetching(t *testing.T, name string, generated fetch.Container, files ...string) {
	t.Helper()
	encoded, err := json.Marshal(generated.NewContainer)
	if err != nil {
		t.Fatal(err)
	}
	fetcher := corev1.Container{}
	if err := json.Unmarshal(encoded, &fetcher); err != nil {
		t.Fatal(err)
	}
	fetcher.Name = "fetch"
	fetcher.ImagePullPolicy = corev1.PullNever
	spec := corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever}
	for i, mount := range generated.Mounts {
		volume := mount.Volume
		volume.Name = fmt.Sprint("volume-", i)
		encoded, err := json.Marshal(volume)
		if err != nil {
			t.Fatal(err)
		}
		made := corev1.Volume{}
		if err := json.Unmarshal(encoded, &made); err != nil {
			t.Fatal(err)
		}
		spec.Volumes = append(spec.Volumes, made)
		fetcher.VolumeMounts = append(fetcher.VolumeMounts, corev1.VolumeMount{Name: volume.Name, MountPath: mount.Path, ReadOnly: mount.ReadOnly})
	}
	probe, err := w.Probe("fetching")
	if err != nil {
		t.Fatal(err)
	}
	reference, err := w.Registry.Push(t.Context(), stage.Red, "fetching:"+name, probe)
	if err != nil {
		t.Fatal(err)
	}
	w.secret(t, "pull-"+name, corev1.SecretTypeDockerConfigJson, map[string][]byte{corev1.DockerConfigJsonKey: w.Registry.DockerConfig(stage.Red)})
	spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "pull-" + name}}
	spec.InitContainers = []corev1.Container{fetcher}
	var paths []string
	for _, file := range files {
		paths = append(paths, "/fetched/"+file)
	}
	spec.Containers = []corev1.Container{{
		Name: "main", Image: reference, Args: stage.ProbeArgs(nil, paths...),
		VolumeMounts: []corev1.VolumeMount{{Name: "volume-0", MountPath: "/fetched", ReadOnly: true}}, // the data is the first
	}}
	w.pod(t, name, spec)
}

func (w *world) settings() *fetch.Settings {
	settings := fetch.Default()
	settings.GitImage, settings.S3Image = w.Fetchers.Git, w.Fetchers.S3
	return &settings
}

func TestGit(t *testing.T) {
	w := onCluster(t)
	const repository = "team-a/code"
	commit := func(branch, content string) string {
		t.Helper()
		hash, err := w.Git.Commit(t.Context(), repository, branch, map[string]string{"README": content, "deep/file": branch})
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	first := commit("main", "one")
	commit("other", "two")
	commit("main", "three")
	period := v1alpha1.Period("10s")
	password := credentialOf("https", v1alpha1.Password, v1alpha1.SecretKey{Key: "username", Role: "username"},
		v1alpha1.SecretKey{Key: "password", Role: "password"}, v1alpha1.SecretKey{Key: "ca.crt"})
	wrong := credentialOf("wrong", v1alpha1.Password, password.Keys...)
	key := credentialOf("ssh", v1alpha1.SSHKey, v1alpha1.SecretKey{Key: "key", Role: "privateKey"}, v1alpha1.SecretKey{Key: "hosts", Role: "knownHosts"})
	unknown := credentialOf("unknown", v1alpha1.SSHKey, key.Keys...)
	login := w.Git.Login()
	w.secret(t, password.KubernetesName, "", map[string][]byte{"username": []byte(login.Username), "password": []byte(login.Password), "ca.crt": w.CA})
	w.secret(t, wrong.KubernetesName, "", map[string][]byte{"username": []byte(login.Username), "password": []byte("not-the-password"), "ca.crt": w.CA})
	w.secret(t, key.KubernetesName, "", map[string][]byte{"key": w.Git.PrivateKey(), "hosts": w.Git.KnownHosts()})
	w.secret(t, unknown.KubernetesName, "", map[string][]byte{"key": w.Git.PrivateKey(), "hosts": []byte("elsewhere.example.com ssh-ed25519 AAAA\n")})

	for name, test := range map[string]struct {
		source v1alpha1.GitSource
		entry  *catalog.Entry
		want   string // empty: refused
	}{
		"git-https":        {source: v1alpha1.GitSource{Repository: w.Git.HTTPS(repository)}, entry: password, want: "three"},
		"git-https-branch": {source: v1alpha1.GitSource{Repository: w.Git.HTTPS(repository), Branch: "other"}, entry: password, want: "two"},
		"git-https-hash":   {source: v1alpha1.GitSource{Repository: w.Git.HTTPS(repository), Revision: v1alpha1.GitName(first)}, entry: password, want: "one"},
		"git-ssh":          {source: v1alpha1.GitSource{Repository: w.Git.SSH(repository), Branch: "other"}, entry: key, want: "two"},
		"git-ssh-hash":     {source: v1alpha1.GitSource{Repository: w.Git.SSH(repository), Revision: v1alpha1.GitName(first)}, entry: key, want: "one"},
		"git-ssh-any-host": {source: v1alpha1.GitSource{Repository: w.Git.SSH(repository), SkipHostKeyCheck: true}, entry: unknown, want: "three"},
		"git-https-wrong":  {source: v1alpha1.GitSource{Repository: w.Git.HTTPS(repository)}, entry: wrong},
		"git-ssh-unknown":  {source: v1alpha1.GitSource{Repository: w.Git.SSH(repository)}, entry: unknown},
		"git-period":       {source: v1alpha1.GitSource{Repository: w.Git.SSH(repository), Branch: "moving", Period: &period}, entry: key, want: "four"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.source.Branch == "moving" {
				commit("moving", "before")
			}
			generated, problem := w.settings().Git(&test.source, test.entry, 0o444)
			if problem != "" {
				t.Fatal(problem)
			}
			w.fetching(t, name, generated, "repo/README", "repo/deep/file")
			if test.source.Branch == "moving" {
				w.awaitSeen(t, name, func(seen report.Seen) bool { return seen.HasFile("/fetched/repo/README", "before") })
				commit("moving", test.want)
			}
			if test.want != "" {
				w.awaitSeen(t, name, func(seen report.Seen) bool { return seen.HasFile("/fetched/repo/README", test.want) })
				return
			}
			await(t, "the refusal", func() (bool, string) {
				state := w.state(t, name)
				return strings.Contains(state, "failed 5 times"), state
			})
		})
	}
}

func TestS3(t *testing.T) {
	w := onCluster(t)
	period := v1alpha1.Period("10s")
	access := credentialOf("s3", v1alpha1.AccessKey, v1alpha1.SecretKey{Key: "id", Role: "accessKeyId"},
		v1alpha1.SecretKey{Key: "secret", Role: "secretAccessKey"}, v1alpha1.SecretKey{Key: "ca.crt"})
	wrong := credentialOf("s3-wrong", v1alpha1.AccessKey, access.Keys...)
	login := w.S3.Login()
	w.secret(t, access.KubernetesName, "", map[string][]byte{"id": []byte(login.Username), "secret": []byte(login.Password), "ca.crt": w.CA})
	w.secret(t, wrong.KubernetesName, "", map[string][]byte{"id": []byte(login.Username), "secret": []byte("not-the-secret"), "ca.crt": w.CA})
	put := func(key, content string) {
		t.Helper()
		if err := w.S3.Put(t.Context(), "images", key, content); err != nil {
			t.Fatal(err)
		}
	}
	put("train/a", "one")
	put("train/b/c", "two")
	put("test/a", "elsewhere")
	start := func(t *testing.T, name string, entry *catalog.Entry, period *v1alpha1.Period) {
		t.Helper()
		generated, problem := w.settings().S3(&v1alpha1.S3Source{Endpoint: w.S3.Endpoint(), Bucket: "images", Prefix: "train", Period: period}, entry, 0o444)
		if problem != "" {
			t.Fatal(problem)
		}
		w.fetching(t, name, generated, "a", "b/c")
	}
	both := func(seen report.Seen) bool {
		return seen.HasFile("/fetched/a", "one") && seen.HasFile("/fetched/b/c", "two")
	}
	t.Run("wrong", func(t *testing.T) {
		start(t, "s3-wrong", wrong, nil)
		await(t, "the refusal", func() (bool, string) {
			state := w.state(t, "s3-wrong")
			return strings.Contains(state, "SignatureDoesNotMatch"), state
		})
	})
	t.Run("once", func(t *testing.T) {
		start(t, "s3-once", access, nil)
		w.awaitSeen(t, "s3-once", both)
	})
	t.Run("again", func(t *testing.T) {
		start(t, "s3-again", access, &period)
		w.awaitSeen(t, "s3-again", both)
		put("train/a", "three")
		if err := w.S3.Remove(t.Context(), "images", "train/b/c"); err != nil {
			t.Fatal(err)
		}
		w.awaitSeen(t, "s3-again", func(seen report.Seen) bool {
			return seen.HasFile("/fetched/a", "three") && seen.Files["/fetched/b/c"].Missing
		})
	})
}
