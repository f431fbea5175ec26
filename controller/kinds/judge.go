// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/workload"
)

// verdict is what is thought of a WorkloadKind.
type verdict struct {
	ready   bool
	reason  string
	message string
	// resource serves the kind, if the webhook is to be asked about its objects.
	resource string
}

func no(reason, format string, args ...any) verdict {
	return verdict{reason: reason, message: fmt.Sprintf(format, args...)}
}

// judge decides about one WorkloadKind. The error is that something could not be found
// out.
func (r *reconciler) judge(ctx context.Context, told *v1alpha1.WorkloadKind, claims *workload.Registry) (verdict, error) {
	kind, err := workload.Read(&told.Spec)
	if err != nil {
		return no(v1alpha1.ReasonPathInvalid, "%v", err), nil
	}
	if _, known := workload.KindOf(told.Spec.APIVersion, told.Spec.Kind); known {
		return verdict{ready: true, reason: v1alpha1.ReasonBuiltIn, message: fmt.Sprintf(
			"Credence knows %s of %s by itself, so this WorkloadKind has no effect; delete it", kind.Kind, kind.Group)}, nil
	}
	if holder, _ := claims.Holder(kind.Group, kind.Kind); holder.Name != told.Name {
		return no(v1alpha1.ReasonDuplicate, "WorkloadKind %s, which is older, tells of the same kind; delete one of them", holder.Name), nil
	}
	resource, v, err := r.find(&kind)
	if err != nil || v != nil {
		return deref(v), err
	}
	if v, err := r.judgePaths(ctx, &kind, resource); err != nil || v != nil {
		return deref(v), err
	}
	missing, err := r.missingRights(ctx, resource)
	if err != nil {
		return verdict{}, err
	}
	if len(missing) > 0 {
		v := no(v1alpha1.ReasonNoRights, "the controller may not %s %s; create a ClusterRole that allows it with the label %s: \"true\"",
			strings.Join(missing, ", "), resource, v1alpha1.LabelAggregateToController)
		v.resource = resource.Resource // the webhook needs none
		return v, nil
	}
	return verdict{
		ready: true, reason: v1alpha1.ReasonFollowed, resource: resource.Resource,
		message: fmt.Sprintf("%s are followed, and their annotations are carried to their pod templates", resource),
	}, nil
}

func deref(v *verdict) verdict {
	if v == nil {
		return verdict{}
	}
	return *v
}

// find returns the resource of a kind, or what is wrong with it. The API server is
// asked each time: the manager's mapper goes on to know kinds that are gone.
func (r *reconciler) find(kind *workload.Kind) (schema.GroupResource, *verdict, error) {
	none := no(v1alpha1.ReasonNoSuchKind, "the API server has no kind %s in %s; install what defines it, or correct apiVersion and kind", kind.Kind, kind.APIVersion())
	served, err := r.discovery.ServerResourcesForGroupVersion(kind.APIVersion())
	switch {
	case apierrors.IsNotFound(err):
		return schema.GroupResource{}, &none, nil
	case err != nil:
		return schema.GroupResource{}, nil, fmt.Errorf("finding the resource of %s: %w", kind.String(), err)
	}
	for i := range served.APIResources {
		one := &served.APIResources[i]
		switch {
		case one.Kind != kind.Kind || strings.Contains(one.Name, "/"): // or a subresource
		case !one.Namespaced:
			v := no(v1alpha1.ReasonNoSuchKind, "%s of %s is not namespaced, and pods are", kind.Kind, kind.Group)
			return schema.GroupResource{}, &v, nil
		default:
			return schema.GroupResource{Group: kind.Group, Resource: one.Name}, nil, nil
		}
	}
	return schema.GroupResource{}, &none, nil
}

// judgePaths looks at the definition of the kind, nil if nothing is wrong. Kinds of
// aggregated API servers have none: their paths are taken at their word. Nor have
// Kubernetes' own, and those that have pod templates are known.
func (r *reconciler) judgePaths(ctx context.Context, kind *workload.Kind, resource schema.GroupResource) (*verdict, error) {
	definition, err := r.definition(ctx, resource)
	if err != nil {
		return nil, err
	}
	if definition == nil {
		if !r.client.Scheme().Recognizes(schema.GroupVersionKind{Group: kind.Group, Version: kind.Versions[0], Kind: kind.Kind}) {
			return nil, nil
		}
		v := no(v1alpha1.ReasonPathInvalid, "%s of %s is Kubernetes' own and has no pod template; delete this WorkloadKind", kind.Kind, kind.Group)
		return &v, nil
	}
	if err := checkPaths(definition, kind); err != nil {
		v := no(v1alpha1.ReasonPathInvalid, "%v; correct podTemplatePaths", err)
		return &v, nil
	}
	return nil, nil
}

func (r *reconciler) definition(ctx context.Context, resource schema.GroupResource) (*apiextensionsv1.CustomResourceDefinition, error) {
	raw := &unstructured.Unstructured{}
	raw.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	err := r.live.Get(ctx, client.ObjectKey{Name: resource.String()}, raw)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading CustomResourceDefinition %s: %w", resource, err)
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, definition); err != nil {
		return nil, fmt.Errorf("reading CustomResourceDefinition %s: %w", resource, err)
	}
	return definition, nil
}

// missingRights returns the verbs that the controller has no right to.
func (r *reconciler) missingRights(ctx context.Context, resource schema.GroupResource) ([]string, error) {
	verbs := []string{"list", "watch"}
	if r.repair {
		verbs = append(verbs, "get", "patch")
	}
	var missing []string
	for _, verb := range verbs {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Group: resource.Group, Resource: resource.Resource},
		}}
		if err := r.client.Create(ctx, review); err != nil {
			return nil, fmt.Errorf("asking for the right to %s %s: %w", verb, resource, err)
		}
		if !review.Status.Allowed {
			missing = append(missing, verb)
		}
	}
	return missing, nil
}
