// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/feed"
)

// CacheOptions are the options of the manager's cache. Of Secrets it holds the
// metadata of copies and nothing else: an informer on all Secrets would hold
// every value in the cluster.
func CacheOptions() cache.Options {
	options := feed.CacheOptions()
	options.ByObject[copies.Secret()] = cache.ByObject{Label: having(v1alpha1.LabelCopyOf), Transform: copies.Slim}
	return options
}

// having selects by the mere presence of a label.
func having(label string) labels.Selector {
	requirement, err := labels.NewRequirement(label, selection.Exists, nil)
	if err != nil {
		panic(err) // the labels are constants
	}
	return labels.NewSelector().Add(*requirement)
}

// addIndexes indexes the caches by the fields that packages lookup and users name.
func addIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		kind  client.Object
		field string
		value func(client.Object) string
	}{
		{&v1alpha1.Credential{}, lookup.IndexName, client.Object.GetName},
		{&v1alpha1.Credential{}, lookup.IndexUID, func(o client.Object) string { return string(o.GetUID()) }},
		{&v1alpha1.Credential{}, lookup.IndexSource, func(o client.Object) string { return o.(*v1alpha1.Credential).Spec.SecretRef.Name }},
		{&v1alpha1.Credential{}, users.IndexSecret, func(o client.Object) string { return credential.KubernetesName(o.(*v1alpha1.Credential)) }},
		{feed.Namespace(), lookup.IndexEnding, func(o client.Object) string { return strconv.FormatBool(!o.GetDeletionTimestamp().IsZero()) }},
		{copies.Secret(), lookup.IndexCopyOf, func(o client.Object) string { return o.GetLabels()[v1alpha1.LabelCopyOf] }},
	} {
		values := func(o client.Object) []string { return []string{index.value(o)} }
		if err := indexer.IndexField(ctx, index.kind, index.field, values); err != nil {
			return fmt.Errorf("adding index %s: %w", index.field, err)
		}
	}
	return nil
}

// sourcesMade is the place in sourceCaches of those that Credence made.
const sourcesMade = 1

// sourceCaches follow the metadata of Secrets that may be sources. They are two
// because label selectors know no "or": one for those made in advance, one for
// those that Credence made. They bring news only; what a source says is always
// read live, so two caches never disagree about one Secret.
func sourceCaches(mgr manager.Manager) ([]cache.Cache, error) {
	var caches []cache.Cache
	for _, label := range []string{v1alpha1.LabelSourceType, v1alpha1.LabelSourceOf} {
		c, err := cache.New(mgr.GetConfig(), cache.Options{
			HTTPClient:           mgr.GetHTTPClient(),
			Scheme:               mgr.GetScheme(),
			Mapper:               mgr.GetRESTMapper(),
			DefaultLabelSelector: having(label),
			DefaultTransform:     copies.Slim,
		})
		if err != nil {
			return nil, fmt.Errorf("making the cache of sources labelled %s: %w", label, err)
		}
		if err := mgr.Add(startedWithCaches{c}); err != nil {
			return nil, fmt.Errorf("adding the cache of sources labelled %s: %w", label, err)
		}
		caches = append(caches, c)
	}
	return caches, nil
}

// startedWithCaches has the manager start a cache before, and without, leader
// election, like its own.
type startedWithCaches struct{ cache.Cache }

func (s startedWithCaches) GetCache() cache.Cache { return s.Cache }
