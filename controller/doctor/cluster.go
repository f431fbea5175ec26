// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/usage/object"
)

// Cluster is a cluster that is examined from outside, with the rights of whoever
// reads it: all of it is listed once, and nothing is watched.
type Cluster struct {
	// Client reads without a cache.
	Client client.Client
	Layout credential.Layout
	Fetch  *fetch.Settings
	// Namespace is the only one to look at; empty for all.
	Namespace string

	owners map[types.UID]Workload
}

// Input reads what an examination needs. Pods are read while it is made.
func (c *Cluster) Input(ctx context.Context) (Input, error) {
	c.owners = map[types.UID]Workload{}
	known, err := c.catalog(ctx)
	if err != nil {
		return Input{}, err
	}
	uncarried, err := c.uncarried(ctx, known)
	if err != nil {
		return Input{}, err
	}
	return Input{
		Judge:     Judge{Catalog: known, Fetch: c.Fetch},
		Pods:      listPods(ctx, c.Client, client.InNamespace(c.Namespace), unfinished),
		Top:       func(pod *corev1.Pod) Workload { return c.top(ctx, pod) },
		Uncarried: uncarried,
	}, nil
}

// catalog lists the namespaces, Credentials and assets.
func (c *Cluster) catalog(ctx context.Context) (*catalog.Catalog, error) {
	known := catalog.New(c.Layout)
	namespaces := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}}
	for _, one := range []struct {
		what string
		list client.ObjectList
	}{
		{"namespaces", namespaces},
		{"Credentials", &v1alpha1.CredentialList{}},
		{"Environments", &v1alpha1.EnvironmentList{}},
		{"DataSources", &v1alpha1.DataSourceList{}},
		{"WorkloadTemplates", &v1alpha1.WorkloadTemplateList{}},
	} {
		if err := c.each(ctx, one.what, one.list, "", func(object client.Object) {
			switch o := object.(type) {
			case *metav1.PartialObjectMetadata:
				known.SetNamespace(o.Name, o.Labels)
			case *v1alpha1.Credential:
				known.Set(catalog.NewEntry(o))
			default:
				known.SetAsset(asset.New(o))
			}
		}); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// each lists objects page by page.
func (c *Cluster) each(ctx context.Context, what string, list client.ObjectList, namespace string, do func(client.Object)) error {
	for next := ""; ; {
		if err := c.Client.List(ctx, list, client.InNamespace(namespace), client.Limit(page), client.Continue(next)); err != nil {
			return fmt.Errorf("listing %s: %w", what, err)
		}
		if err := meta.EachListItem(list, func(one runtime.Object) error {
			if object, ok := one.(client.Object); ok {
				do(object)
			}
			return nil
		}); err != nil {
			return fmt.Errorf("listing %s: %w", what, err)
		}
		if next = list.GetContinue(); next == "" {
			return nil
		}
	}
}

// uncarried finds the workloads in projects whose annotations were not carried, of
// every kind that is known.
func (c *Cluster) uncarried(ctx context.Context, known *catalog.Catalog) (found []Workload, err error) {
	take := func(gvk schema.GroupVersionKind, o client.Object) {
		if place, _ := known.Place(o.GetNamespace()); place.IsProject() {
			found = append(found, Workload{gvk.GroupVersion().String(), gvk.Kind, o.GetNamespace(), o.GetName(), o.GetUID()})
		}
	}
	for _, kind := range object.BuiltIn {
		if known, ok := workload.KindOf(kind.GroupVersion().String(), kind.Kind); !ok || !known.Carries {
			continue
		}
		if err := c.builtIn(ctx, kind, take); err != nil {
			return nil, err
		}
	}
	others, err := c.otherKinds(ctx)
	if err != nil {
		return nil, err
	}
	for gvk, kind := range others {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := c.each(ctx, kind.String(), list, c.Namespace, func(o client.Object) {
			if isUncarried(&kind, o.(*unstructured.Unstructured)) {
				take(gvk, o)
			}
		}); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// builtIn takes the uncarried workloads of a kind of Kubernetes' own.
func (c *Cluster) builtIn(ctx context.Context, kind object.Served, take func(schema.GroupVersionKind, client.Object)) error {
	list, err := c.Client.Scheme().New(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err != nil {
		return fmt.Errorf("listing %s: %w", kind.Resource, err)
	}
	return c.each(ctx, kind.Resource, list.(client.ObjectList), c.Namespace, func(o client.Object) {
		if read, ok := object.Read(o); ok && read.Uncarried {
			take(kind.GroupVersionKind, o)
		}
	})
}

// otherKinds are the third-party kinds that are known and served, also those that
// users tell of. Each is there once, however many tell of it.
func (c *Cluster) otherKinds(ctx context.Context) (map[schema.GroupVersionKind]workload.Kind, error) {
	claims, all := &workload.Registry{}, workload.ThirdParty()
	var told []workload.Claim
	if err := c.each(ctx, "WorkloadKinds", &v1alpha1.WorkloadKindList{}, "", func(o client.Object) {
		spec := &o.(*v1alpha1.WorkloadKind).Spec
		if _, known := workload.KindOf(spec.APIVersion, spec.Kind); known {
			return
		}
		if kind, err := workload.Read(spec); err == nil {
			told = append(told, workload.Claim{Name: o.GetName(), Created: o.GetCreationTimestamp().Time, Kind: kind})
			claims.Set(told[len(told)-1])
		}
	}); err != nil {
		return nil, err
	}
	for _, claim := range told {
		if holder, _ := claims.Holder(claim.Kind.Group, claim.Kind.Kind); holder.Name == claim.Name {
			all = append(all, claim.Kind)
		}
	}
	kinds := map[schema.GroupVersionKind]workload.Kind{}
	for _, kind := range all {
		mapping, err := c.Client.RESTMapper().RESTMapping(schema.GroupKind{Group: kind.Group, Kind: kind.Kind}, kind.Versions...)
		switch {
		case meta.IsNoMatchError(err):
		case err != nil:
			return nil, fmt.Errorf("finding the resource of %s: %w", kind.String(), err)
		default:
			kinds[mapping.GroupVersionKind] = kind
		}
	}
	return kinds, nil
}

// isUncarried says whether the annotations of an object of a third-party kind are not
// on its templates as they would be if they had been carried.
func isUncarried(kind *workload.Kind, o *unstructured.Unstructured) bool {
	if metav1.GetControllerOfNoCopy(o) != nil || o.GetDeletionTimestamp() != nil {
		return false
	}
	var templates []map[string]string
	for _, template := range kind.Find(o.Object) {
		annotations, _, _ := unstructured.NestedStringMap(template, "metadata", "annotations")
		templates = append(templates, annotations)
	}
	return workload.IsUncarried(o.GetAnnotations(), templates...)
}

// maxOwners bounds how far owners are followed: anybody may write references in a
// circle.
const maxOwners = 16

// top follows the controllers of a pod as far as they may be read. Many pods have the
// same.
func (c *Cluster) top(ctx context.Context, pod *corev1.Pod) Workload {
	reference := object.Controller(pod)
	if reference == nil {
		return itself(pod)
	}
	if known, ok := c.owners[reference.UID]; ok {
		return known
	}
	first, top := reference.UID, Workload{}
	for range maxOwners {
		top = Workload{reference.APIVersion, reference.Kind, pod.Namespace, reference.Name, reference.UID}
		owner := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: top.APIVersion, Kind: top.Kind}}
		if err := c.Client.Get(ctx, types.NamespacedName{Namespace: top.Namespace, Name: top.Name}, owner); err != nil || owner.UID != top.UID {
			break
		}
		if reference = object.Controller(owner); reference == nil {
			break
		}
	}
	c.owners[first] = top
	return top
}
