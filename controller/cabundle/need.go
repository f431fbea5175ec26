// SPDX-License-Identifier: Apache-2.0

package cabundle

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/usage"
)

// isNeeded says whether a workload or a template of a project uses a data source that
// is fetched with certificates, by its name or by that of a WorkloadTemplate.
func (r *reconciler) isNeeded(namespace string) bool {
	place, _ := r.catalog.Place(namespace)
	if !place.IsProject() {
		return false
	}
	var queries []usage.Query
	for _, kind := range []asset.Kind{asset.DataSource, asset.WorkloadTemplate} {
		for _, name := range r.catalog.VisibleAssets(kind, place) {
			if a, ok := r.catalog.LookupAsset(kind, place, name); ok && r.fetches(a) {
				queries = append(queries, usage.Query{Kind: string(kind), Name: name, Namespaces: []string{namespace}})
			}
		}
	}
	return r.index.IsUsed(queries...)
}

// fetches says whether an asset has pods fetch something with certificates.
func (r *reconciler) fetches(a *asset.Asset) bool {
	if source := a.DataSource; source != nil {
		return source.S3 != nil || source.Git != nil && asset.GitNeeds(source.Git.Repository) == v1alpha1.Password
	}
	return slices.ContainsFunc(a.References(), func(reference asset.Reference) bool {
		if reference.Kind != asset.DataSource {
			return false
		}
		id, _ := r.catalog.Meant(a, reference.Kind, reference.Name)
		source, ok := r.catalog.Asset(id)
		return ok && r.fetches(source)
	})
}

// unfinished leaves out the pods that run no more.
var unfinished = client.MatchingFieldsSelector{Selector: fields.AndSelectors(
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
)}

// isMounted asks the API server whether a live pod of a namespace has the ConfigMap
// as a volume, whatever became of what it was injected for.
func (r *reconciler) isMounted(ctx context.Context, namespace string) (bool, error) {
	for next := ""; ; {
		var pods corev1.PodList
		if err := r.source.live.List(ctx, &pods, client.InNamespace(namespace), unfinished, client.Limit(500), client.Continue(next)); err != nil {
			return false, fmt.Errorf("listing the pods of namespace %s: %w", namespace, err)
		}
		if slices.ContainsFunc(pods.Items, r.mounts) {
			return true, nil
		}
		if next = pods.Continue; next == "" {
			return false, nil
		}
	}
}

func (r *reconciler) mounts(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.ConfigMap != nil && v.ConfigMap.Name == r.source.Name
	})
}
