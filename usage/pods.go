// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/credence-dev/credence/usage/object"
)

// Pods asks the API server what an index may not know yet.
type Pods struct {
	client rest.Interface
	// page is how many are asked for at once.
	page int64
	// asking bounds how many pages are in memory at a time.
	asking chan struct{}
}

const (
	// maxAsking is how many namespaces are asked about at once. An API server may take a
	// tenth of a second to be certain that it knows of all writes.
	maxAsking = 16
	// askedPage is how many pods are asked for at once: of 20 KiB, that is 2 MiB.
	askedPage = 100
)

// NewPods returns one that asks with a client configuration.
func NewPods(config *rest.Config) (*Pods, error) {
	compact := rest.CopyConfig(config)
	compact.ContentType = runtime.ContentTypeProtobuf
	compact.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	clientset, err := kubernetes.NewForConfig(compact)
	if err != nil {
		return nil, fmt.Errorf("making a client for pods: %w", err)
	}
	return &Pods{client: clientset.CoreV1().RESTClient(), page: askedPage, asking: make(chan struct{}, maxAsking)}, nil
}

// unfinished leaves out the pods that run no more.
var unfinished = fields.AndSelectors(
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
).String()

// Referring returns live pods of a namespace that refer to a Secret, at least one if
// there is any. All that were stored when it was called are considered: the list is
// consistent, and its pages are of one state.
func (p *Pods) Referring(ctx context.Context, secret types.NamespacedName) ([]types.NamespacedName, error) {
	select {
	case p.asking <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.asking }()
	options := metav1.ListOptions{FieldSelector: unfinished, Limit: p.page}
	for {
		list := &corev1.PodList{}
		err := p.client.Get().Namespace(secret.Namespace).Resource("pods").
			VersionedParams(&options, scheme.ParameterCodec).Do(ctx).Into(list)
		if err != nil {
			return nil, fmt.Errorf("listing the pods of namespace %s: %w", secret.Namespace, err)
		}
		var found []types.NamespacedName
		for i := range list.Items {
			if pod := &list.Items[i]; refers(pod, secret.Name) {
				found = append(found, types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name})
			}
		}
		if len(found) > 0 || list.Continue == "" {
			return found, nil
		}
		options.Continue = list.Continue
	}
}

// refers says whether a pod lives and refers to a Secret.
func refers(pod *corev1.Pod, secret string) bool {
	read, _ := object.Read(pod)
	for _, reference := range read.Shape.Value().Refers.List() {
		if reference.Kind == object.Secret && reference.Name == secret {
			return true
		}
	}
	return false
}
