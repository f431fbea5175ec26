// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// notebook is a workload that names a template and leaves its image to it.
var notebook = story{
	title: "Deployment notebook names a template on itself, and leaves the image to it", namespace: "team-b", owner: "notebook-",
	want: []string{
		"credence-fetch-code: mount /credential = Secret sshkey-git, mode 0444, ssh as private-key, known_hosts as known-hosts",
		"main: env OPENAI_API_KEY = Secret genericsecret-openai, key api-key",
		"pull secret dockerregistry-registry",
	},
}

// showAssets creates assets and a workload that names one, and prints what it was
// given.
func (d *Demo) showAssets(ctx context.Context) (wrong int, err error) {
	d.say("\nThe department prepares an environment, a repository, and a template that names both")
	if err := d.apply(ctx, "5-assets.yaml"); err != nil {
		return 0, err
	}
	pod, err := d.podOf(ctx, notebook)
	if err != nil {
		return 0, err
	}
	right := d.compare(notebook, pod)
	main := pod.Spec.Containers[0]
	d.say("    gets  main: image %s, command %s", main.Image, strings.Join(main.Command, " "))
	at := slices.IndexFunc(main.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == "/code" })
	if !right || at < 0 || main.Image != "registry.example.com/research/pytorch:2" {
		return 1, nil
	}
	d.say("    gets  main: mount /code, which init container %s fills from the repository", pod.Spec.InitContainers[0].Name)
	return 0, nil
}

// showDeletion tries to delete a credential that is in use, which must be refused in
// these words.
func (d *Demo) showDeletion(ctx context.Context) error {
	const want = `credential "git" is used by 2 workloads, 1 template and 1 data source`
	c := &v1alpha1.Credential{}
	c.Namespace, c.Name = "credence-credentials", "git"
	d.say("\nSomebody deletes credential git, which a data source fetches with")
	var refusal error
	// Right after something began to use it, fewer are known.
	err := local.Poll(ctx, "a refusal that says: "+want, func(ctx context.Context) (bool, error) {
		if refusal = d.Client().Delete(ctx, c); refusal == nil {
			return false, fmt.Errorf("credential %s was deleted", c.Name)
		}
		return strings.Contains(refusal.Error(), want), nil
	})
	if refusal != nil {
		d.say("    is refused: %v", refusal)
	}
	return err
}
