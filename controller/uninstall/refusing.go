// SPDX-License-Identifier: Apache-2.0

package uninstall

import (
	"context"
	"fmt"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// The label that all of ours have, and the name: somebody may have labelled his own.
const (
	partOf = "app.kubernetes.io/part-of"
	name   = v1alpha1.ManagedByCredence
)

// component is the label that tells the pods of the processes from the one that
// uninstalls.
const (
	component = "app.kubernetes.io/component"
	myself    = "uninstall"
)

var ours = client.MatchingLabels{partOf: name}

func isOurs(object client.Object) bool {
	return object.GetName() == name || strings.HasPrefix(object.GetName(), name+"-")
}

// refusing are the kinds that refuse things, in the order in which they go.
var refusing = []string{
	"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration",
	"ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy",
}

// stopRefusing removes what has the API server ask us, or refuse something for us.
func (r *run) stopRefusing(ctx context.Context) (left []string) {
	for _, kind := range refusing {
		found, err := r.list(ctx, admissionregistrationv1.SchemeGroupVersion.WithKind(kind), ours)
		if err != nil {
			left = append(left, err.Error())
		}
		for i := range found {
			object := &found[i]
			if !isOurs(object) {
				continue
			}
			if err := r.delete(ctx, object, client.Preconditions{UID: &object.UID}); err != nil {
				left = append(left, fmt.Sprintf("deleting %s: %v", title(object), err))
				continue
			}
			r.do("Deleted %s %s.", kind, object.Name)
		}
	}
	return left
}

// checkNamespace makes sure that the processes are looked for where they run.
func (r *run) checkNamespace(ctx context.Context) error {
	var found admissionregistrationv1.ValidatingWebhookConfigurationList
	if err := r.Client.List(ctx, &found, ours); err != nil {
		r.say("Whether Credence runs in namespace %s could not be found out: %v", r.InstallNamespace, err)
		return nil
	}
	for i := range found.Items {
		for _, entry := range found.Items[i].Webhooks {
			if service := entry.ClientConfig.Service; isOurs(&found.Items[i]) && service != nil && service.Namespace != r.InstallNamespace {
				return fmt.Errorf("in namespace %s Credence does not run, but in %s: say --install-namespace=%s",
					r.InstallNamespace, service.Namespace, service.Namespace)
			}
		}
	}
	return nil
}

// pageSize is how many objects are asked for at once.
const pageSize = 500

// list returns the metadata of all objects of a kind, none if there is no such kind.
func (r *run) list(ctx context.Context, kind schema.GroupVersionKind, options ...client.ListOption) (all []metav1.PartialObjectMetadata, err error) {
	err = r.pages(ctx, kind, func(page []metav1.PartialObjectMetadata) { all = append(all, page...) }, options...)
	return all, err
}

// pages is list for very many: it hands on one page after the other.
func (r *run) pages(ctx context.Context, kind schema.GroupVersionKind, take func([]metav1.PartialObjectMetadata), options ...client.ListOption) error {
	page := &metav1.PartialObjectMetadataList{}
	page.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	for {
		err := r.Client.List(ctx, page, append(options, client.Limit(pageSize), client.Continue(page.Continue))...)
		switch {
		case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return fmt.Errorf("listing objects of kind %s: %w", kind.Kind, err)
		}
		for i := range page.Items { // lists leave it out
			page.Items[i].SetGroupVersionKind(kind)
		}
		take(page.Items)
		if page.Continue == "" {
			return nil
		}
	}
}

// delete deletes an object that is as it was seen; another one is for another pass.
func (r *run) delete(ctx context.Context, object *metav1.PartialObjectMetadata, as client.Preconditions) error {
	if object.DeletionTimestamp != nil {
		return fmt.Errorf("it is deleted, and held by its finalizers %v", object.Finalizers)
	}
	return client.IgnoreNotFound(r.Client.Delete(ctx, object, as))
}

func title(object *metav1.PartialObjectMetadata) string {
	if object.Namespace == "" {
		return object.Kind + " " + object.Name
	}
	return object.Kind + " " + client.ObjectKeyFromObject(object).String()
}
