// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"
	"iter"
	"unique"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
	"github.com/credence-dev/credence/usage/object"
)

// Index knows which pods ask for what. It is package usage's.
type Index interface {
	Synced() bool
	Asking(which func(*usage.Asking) bool) []usage.AskingPod
	Top(namespace string, controller metav1.OwnerReference) usage.Workload
	Warned() []usage.Warned
}

// page is how many pods are asked for at once: 500 of 20 KiB are 10 MiB.
const page = 500

// fewPods are read one by one, and more by a list of their namespace.
const fewPods = 10

// suspects reads the pods that may not have been injected: those that name what they
// do not refer to. That is known without reading them, so of a cluster in order none
// is read.
type suspects struct {
	index   Index
	catalog *catalog.Catalog
	live    client.Reader
	// sound are pods that were looked at and found in order, by what they name and refer
	// to: a pod's containers never change.
	sound map[types.UID]unique.Handle[object.Shape]
	// now are the shapes of those that are being looked at.
	now map[types.UID]unique.Handle[object.Shape]
}

// pods reads the suspects.
func (s *suspects) pods(ctx context.Context) iter.Seq2[*corev1.Pod, error] {
	return func(yield func(*corev1.Pod, error) bool) {
		for namespace, pods := range s.list() {
			read := s.oneByOne
			if len(pods) > fewPods {
				read = s.together
			}
			for pod, err := range read(ctx, namespace, pods) {
				if !yield(pod, err) || err != nil {
					return
				}
			}
		}
	}
}

// list returns the suspects by namespace, without those that were found in order.
func (s *suspects) list() map[string]map[types.UID]string {
	sound := make(map[types.UID]unique.Handle[object.Shape], len(s.sound))
	s.now = map[types.UID]unique.Handle[object.Shape]{}
	list := map[string]map[types.UID]string{}
	for _, pod := range s.index.Asking(s.mayLack) {
		if before, ok := s.sound[pod.UID]; ok && before == pod.Shape {
			sound[pod.UID] = before
			continue
		}
		s.now[pod.UID] = pod.Shape
		if list[pod.Namespace] == nil {
			list[pod.Namespace] = map[types.UID]string{}
		}
		list[pod.Namespace][pod.UID] = pod.Name
	}
	s.sound = sound
	return list
}

// inOrder notes that nothing is wrong with a pod.
func (s *suspects) inOrder(pod *corev1.Pod) {
	if shape, ok := s.now[pod.UID]; ok {
		s.sound[pod.UID] = shape
	}
}

// mayLack says whether pods name something of which they do not refer to the Secret.
func (s *suspects) mayLack(pods *usage.Asking) bool {
	place, _ := s.catalog.Place(pods.Namespace)
	if !place.IsProject() {
		return false
	}
	for _, name := range pods.Credentials {
		if entry, ok := s.catalog.Lookup(place, name); ok && !pods.Refers(entry.KubernetesName) || !ok && !pods.RefersToAny() {
			return true
		}
	}
	for _, named := range pods.Assets {
		found, ok := s.catalog.LookupAsset(asset.Kind(named.Kind), place, named.Name)
		if !ok || !s.refersToAny(pods, found) {
			return true
		}
	}
	return false
}

// refersToAny says whether pods refer to a Secret that an asset gives.
func (s *suspects) refersToAny(pods *usage.Asking, a *asset.Asset) bool {
	judge := Judge{Catalog: s.catalog}
	for _, secret := range judge.secretsGiven(a, nil) {
		if pods.Refers(secret) {
			return true
		}
	}
	return false
}

func (s *suspects) oneByOne(ctx context.Context, namespace string, pods map[types.UID]string) iter.Seq2[*corev1.Pod, error] {
	return func(yield func(*corev1.Pod, error) bool) {
		for _, name := range pods {
			pod, err := readPod(ctx, s.live, types.NamespacedName{Namespace: namespace, Name: name})
			if pod == nil && err == nil {
				continue
			}
			if !yield(pod, err) || err != nil {
				return
			}
		}
	}
}

func (s *suspects) together(ctx context.Context, namespace string, pods map[types.UID]string) iter.Seq2[*corev1.Pod, error] {
	return func(yield func(*corev1.Pod, error) bool) {
		for pod, err := range listPods(ctx, s.live, client.InNamespace(namespace), unfinished) {
			if err == nil {
				if _, wanted := pods[pod.UID]; !wanted {
					continue
				}
			}
			if !yield(pod, err) {
				return
			}
		}
	}
}

// Which pods are listed.
var (
	unfinished = client.MatchingFieldsSelector{Selector: fields.AndSelectors(
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
	)}
	pending = client.MatchingFields{"status.phase": string(corev1.PodPending)}
)

// listPods lists pods page by page. They are good until the next page.
func listPods(ctx context.Context, from client.Reader, options ...client.ListOption) iter.Seq2[*corev1.Pod, error] {
	return func(yield func(*corev1.Pod, error) bool) {
		next := ""
		for {
			var list corev1.PodList
			if err := from.List(ctx, &list, append(options[:len(options):len(options)], client.Limit(page), client.Continue(next))...); err != nil {
				yield(nil, fmt.Errorf("listing pods: %w", err))
				return
			}
			for i := range list.Items {
				if !yield(&list.Items[i], nil) {
					return
				}
			}
			if next = list.Continue; next == "" {
				return
			}
		}
	}
}

// readPod reads a pod, nil if there is none: by a list, so that nobody needs another
// right.
func readPod(ctx context.Context, from client.Reader, key types.NamespacedName) (*corev1.Pod, error) {
	var list corev1.PodList
	if err := from.List(ctx, &list, client.InNamespace(key.Namespace), client.MatchingFields{"metadata.name": key.Name}); err != nil {
		return nil, fmt.Errorf("reading pod %s: %w", key, err)
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	return &list.Items[0], nil
}

// itself is a pod that nothing controls, as a workload.
func itself(pod *corev1.Pod) Workload {
	return Workload{APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
}
