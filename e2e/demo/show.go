// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/local"
	"github.com/credence-dev/credence/injector/annotation"
)

// story is a workload of the demo with what its pod must have been given.
type story struct {
	title     string
	namespace string
	// owner is the prefix of the pod's name.
	owner string
	want  []string
}

var stories = []story{
	{
		title: "Deployment training names credentials of its project and its department", namespace: "team-a", owner: "training-",
		want: []string{
			"main: env OPENAI_API_KEY = Secret genericsecret-openai, key api-key",
			"main: env AWS_ACCESS_KEY_ID = Secret bucket-key, key AccessKeyId",
			"main: env AWS_SECRET_ACCESS_KEY = Secret bucket-key, key SecretKey",
			"main: mount /etc/credence/git = Secret sshkey-git, mode 0440",
			"pull secret dockerregistry-registry",
		},
	},
	{
		title: "Job report asks for one variable in one container, and for files", namespace: "team-b", owner: "report-",
		want: []string{
			"main: env TOKEN = Secret genericsecret-openai, key api-key",
			"main: mount /etc/login = Secret password-metrics, mode 0440, username as user, password as password",
			"helper: mount /etc/login = Secret password-metrics, mode 0440, username as user, password as password",
		},
	},
	{
		title: "Deployment shop names nothing, and pulls from the company's registry", namespace: "team-c", owner: "shop-",
		want: []string{"pull secret dockerregistry-registry"},
	},
	{
		title: "Pod plain names nothing, and needs nothing", namespace: "team-c", owner: "plain",
	},
}

// Run creates the demo's objects and prints what the pods were given. The error
// says what is not as it should be.
func (d *Demo) Run(ctx context.Context) error {
	wrong := 0
	for _, show := range []func(context.Context) (int, error){
		always(d.showSetup), d.showStories, d.showRefusals, d.showAssets, always(d.showDeletion), always(d.showRotation), always(d.showJoining),
	} {
		n, err := show(ctx)
		if err != nil {
			return err
		}
		wrong += n
	}
	d.say("")
	if wrong > 0 {
		return fmt.Errorf("%d things are not as expected", wrong)
	}
	d.say("Every pod came back, and every copy followed, as expected.")
	return nil
}

// always is for what is as expected or fails.
func always(show func(context.Context) error) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) { return 0, show(ctx) }
}

// showSetup creates who is there and the credentials.
func (d *Demo) showSetup(ctx context.Context) error {
	d.say("Three projects in two departments, five credentials:")
	for _, file := range []string{"1-organisation.yaml", "2-credentials.yaml"} {
		if err := d.apply(ctx, file); err != nil {
			return err
		}
	}
	if err := d.waitUntilSpread(ctx); err != nil {
		return err
	}
	return d.showCredentials(ctx)
}

// showStories creates the workloads and returns how many pods were not given what
// they should.
func (d *Demo) showStories(ctx context.Context) (wrong int, err error) {
	if err := d.apply(ctx, "3-workloads.yaml"); err != nil {
		return 0, err
	}
	for _, story := range stories {
		right, err := d.show(ctx, story)
		if err != nil {
			return 0, err
		}
		if !right {
			wrong++
		}
	}
	return wrong, nil
}

// show waits for a workload's pod and prints it before and after.
func (d *Demo) show(ctx context.Context, s story) (right bool, err error) {
	pod, err := d.podOf(ctx, s)
	if err != nil {
		return false, err
	}
	return d.compare(s, pod), nil
}

// podOf waits for a workload's pod.
func (d *Demo) podOf(ctx context.Context, s story) (pod *corev1.Pod, err error) {
	err = local.Poll(ctx, "the pod of "+s.owner, func(ctx context.Context) (bool, error) {
		pods := &corev1.PodList{}
		if err := d.Client().List(ctx, pods, client.InNamespace(s.namespace)); err != nil {
			return false, err
		}
		at := slices.IndexFunc(pods.Items, func(p corev1.Pod) bool { return strings.HasPrefix(p.Name, s.owner) })
		if at >= 0 {
			pod = &pods.Items[at]
		}
		return at >= 0, nil
	})
	return pod, err
}

// compare prints what a pod asks for and was given, and says whether that is as it
// should be.
func (d *Demo) compare(s story, pod *corev1.Pod) (right bool) {
	d.say("\n%s (%s)", s.title, s.namespace)
	for key, value := range pod.Annotations {
		if annotation.Asks(key) {
			d.say("    asks  %s: %s", key, value)
		}
	}
	got := given(pod)
	for _, line := range got {
		d.say("    gets  %s", line)
	}
	if len(got) == 0 {
		d.say("    gets  nothing")
	}
	if !slices.Equal(got, s.want) {
		d.say("    NOT AS EXPECTED, which is:\n          %s", strings.Join(s.want, "\n          "))
		return false
	}
	return true
}

// given lists what of Secrets is in a pod.
func given(pod *corev1.Pod) []string {
	var lines []string
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, env := range container.Env {
			if env.ValueFrom != nil && env.ValueFrom.SecretKeyRef != nil {
				ref := env.ValueFrom.SecretKeyRef
				lines = append(lines, fmt.Sprintf("%s: env %s = Secret %s, key %s", container.Name, env.Name, ref.Name, ref.Key))
			}
		}
		for _, source := range container.EnvFrom {
			if source.SecretRef != nil {
				lines = append(lines, fmt.Sprintf("%s: every key of Secret %s as env", container.Name, source.SecretRef.Name))
			}
		}
		for _, mount := range container.VolumeMounts {
			if volume := secretVolume(pod, mount.Name); volume != nil {
				line := fmt.Sprintf("%s: mount %s = Secret %s, mode %04o", container.Name, mount.MountPath, volume.SecretName, *volume.DefaultMode)
				for _, item := range volume.Items {
					line += fmt.Sprintf(", %s as %s", item.Key, item.Path)
				}
				lines = append(lines, line)
			}
		}
	}
	for _, secret := range pod.Spec.ImagePullSecrets {
		lines = append(lines, "pull secret "+secret.Name)
	}
	return lines
}

func secretVolume(pod *corev1.Pod, name string) *corev1.SecretVolumeSource {
	for _, volume := range pod.Spec.Volumes {
		if volume.Name == name {
			return volume.Secret
		}
	}
	return nil
}
