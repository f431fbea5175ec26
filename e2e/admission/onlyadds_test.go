// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// What the API server stores of a pod that asks for credentials, less what was asked
// for, is what it stores of the same pod that does not: whole objects are compared, so
// whatever else is added, changed or lost shows, in a field that Credence knows or not.
func TestOnlyAdds(t *testing.T) {
	project(t, "only-adds")
	create(t, genericSource("only-adds", "key"), genericCredential("only-adds", "key"))
	ready(t, "only-adds", "key")
	build := func(name string, asked map[string]string) *corev1.Pod {
		p := benchmarkPod(t)
		p.Namespace, p.Name, p.Annotations = "only-adds", name, map[string]string{"example.com/other": "x"}
		for key, value := range asked {
			p.Annotations[key] = value
		}
		p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/gate"}}
		p.Spec.HostAliases = []corev1.HostAlias{{IP: "10.0.0.1", Hostnames: []string{"a.example.com"}}}
		p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}}
		return p
	}
	create(t, build("plain", nil), build("injected", map[string]string{"env.credence.dev/token": "key/token", "mount.credence.dev/key": "key:/etc/key"}))
	plain, injected := stored(t, "plain"), stored(t, "injected")
	subtract(t, injected)
	if diff := cmp.Diff(plain, injected); diff != "" {
		t.Errorf("the pods differ by more than what was asked for (-plain +injected):\n%s", diff)
	}
}

// stored is a pod as the API server has it, but for what makes it another than its
// twin.
func stored(t *testing.T, name string) map[string]any {
	t.Helper()
	pod := &unstructured.Unstructured{}
	pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	if err := cluster.Client().Get(t.Context(), client.ObjectKey{Namespace: "only-adds", Name: name}, pod); err != nil {
		t.Fatal(err)
	}
	metadata := pod.Object["metadata"].(map[string]any)
	for _, field := range []string{"name", "uid", "resourceVersion", "creationTimestamp", "managedFields"} {
		delete(metadata, field)
	}
	return pod.Object
}

// subtract takes out what TestOnlyAdds asks for, and fails if it is not there, once
// in each container.
func subtract(t *testing.T, pod map[string]any) {
	t.Helper()
	annotations := pod["metadata"].(map[string]any)["annotations"].(map[string]any)
	for _, key := range []string{"env.credence.dev/token", "mount.credence.dev/key", v1alpha1.AnnotationInjected} {
		if _, ok := annotations[key]; !ok {
			t.Errorf("there is no annotation %s", key)
		}
		delete(annotations, key)
	}
	spec := pod["spec"].(map[string]any)
	volume := takeOut(t, spec, "volumes", func(v map[string]any) bool {
		secret, ok := v["secret"].(map[string]any)
		return ok && secret["secretName"] == "key"
	})
	for _, list := range []string{"initContainers", "containers"} {
		for _, container := range spec[list].([]any) {
			container := container.(map[string]any)
			takeOut(t, container, "volumeMounts", func(m map[string]any) bool { return m["name"] == volume["name"] && m["mountPath"] == "/etc/key" })
			if first := container["env"].([]any)[0].(map[string]any); first["name"] != "token" {
				t.Errorf("the first variable of container %s is %v: the container's own come behind ours", container["name"], first["name"])
			}
			variable := takeOut(t, container, "env", func(v map[string]any) bool { return v["name"] == "token" })
			want := map[string]any{"name": "token", "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": "key", "key": "token"}}}
			if diff := cmp.Diff(want, variable); diff != "" {
				t.Errorf("variable of container %s (-want +got):\n%s", container["name"], diff)
			}
		}
	}
}

// takeOut removes the one item of a list that matches, and returns it.
func takeOut(t *testing.T, from map[string]any, list string, matches func(map[string]any) bool) map[string]any {
	t.Helper()
	items, _ := from[list].([]any)
	at := slices.IndexFunc(items, func(item any) bool { return matches(item.(map[string]any)) })
	if at < 0 {
		t.Fatalf("what was asked for is not in %s: %v", list, items)
	}
	item := items[at].(map[string]any)
	from[list] = slices.Delete(items, at, at+1)
	return item
}
