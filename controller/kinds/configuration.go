// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/api/v1alpha1"
)

const (
	// ConfigurationName is the name of the webhook configuration for the kinds of
	// WorkloadKinds, which nobody else writes.
	ConfigurationName = "credence-workload-kinds"
	// chartConfiguration is the one that the chart makes, and chartEntry that of its
	// entries which ours is like.
	chartConfiguration = "credence"
	chartEntry         = "carry.workloads.credence.dev"
	entryName          = "kinds.workloads.credence.dev"

	// Who fills in the CA bundle, as package certs has it.
	caAnnotation, caProvided = "credence.dev/ca", "provided"
)

// served is a kind that the webhook is to be asked about. Without a resource, it was
// not to be found out whether it is: what it was asked of its group and version stays.
type served struct{ group, version, resource string }

// ensure makes the configuration what it should be: an entry like the chart's, with
// rules for these kinds. Where, with which conditions and how the webhook is reached
// is so said in one place. Without any kind there is none.
func (r *reconciler) ensure(ctx context.Context, kinds []served) error {
	live := &admissionregistrationv1.MutatingWebhookConfiguration{}
	err := r.live.Get(ctx, client.ObjectKey{Name: ConfigurationName}, live)
	there := err == nil
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading MutatingWebhookConfiguration %s: %w", ConfigurationName, err)
	}
	if len(kinds) == 0 {
		return r.remove(ctx, live, there)
	}
	chart := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := r.live.Get(ctx, client.ObjectKey{Name: chartConfiguration}, chart); err != nil {
		return fmt.Errorf("reading MutatingWebhookConfiguration %s: %w", chartConfiguration, err)
	}
	want, err := desired(chart, live, kinds)
	if err != nil || want == nil {
		return err
	}
	switch {
	case !there:
		if err := r.client.Create(ctx, want, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
			return fmt.Errorf("creating MutatingWebhookConfiguration %s: %w", ConfigurationName, err)
		}
	case same(live, want):
		return nil
	default:
		if err := r.client.Update(ctx, want, client.FieldOwner(v1alpha1.FieldManager)); err != nil {
			return fmt.Errorf("updating MutatingWebhookConfiguration %s: %w", ConfigurationName, err)
		}
	}
	log.FromContext(ctx).Info("Wrote the webhook configuration of workload kinds", "kinds", len(kinds))
	return nil
}

func (r *reconciler) remove(ctx context.Context, live *admissionregistrationv1.MutatingWebhookConfiguration, there bool) error {
	if !there {
		return nil
	}
	if err := r.client.Delete(ctx, live, client.Preconditions{UID: &live.UID}); client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting MutatingWebhookConfiguration %s: %w", ConfigurationName, err)
	}
	log.FromContext(ctx).Info("Removed the webhook configuration of workload kinds")
	return nil
}

// same says whether nothing is to be written. Labels and annotations that others add
// do not count.
func same(live, want *admissionregistrationv1.MutatingWebhookConfiguration) bool {
	return equality.Semantic.DeepEqual(live.Webhooks, want.Webhooks) &&
		equality.Semantic.DeepEqual(live.OwnerReferences, want.OwnerReferences) &&
		equality.Semantic.DeepEqual(live.Labels, want.Labels) && equality.Semantic.DeepEqual(live.Annotations, want.Annotations)
}

// desired is the configuration as it should be, nil where that is not known. It belongs
// to the chart's, so that it goes with it.
func desired(chart, live *admissionregistrationv1.MutatingWebhookConfiguration, kinds []served) (*admissionregistrationv1.MutatingWebhookConfiguration, error) {
	i := slices.IndexFunc(chart.Webhooks, func(w admissionregistrationv1.MutatingWebhook) bool { return w.Name == chartEntry })
	if i < 0 {
		return nil, fmt.Errorf("MutatingWebhookConfiguration %s has no entry %s; upgrade the chart", chartConfiguration, chartEntry)
	}
	want := live.DeepCopy()
	want.Name = ConfigurationName
	want.Labels = merged(want.Labels, map[string]string{"app.kubernetes.io/part-of": "credence", "app.kubernetes.io/managed-by": v1alpha1.FieldManager})
	// Not what the chart's said once: nobody would fill in the bundle any more.
	maps.DeleteFunc(want.Annotations, func(key, _ string) bool { return isAboutCA(key) })
	want.Annotations = merged(want.Annotations, aboutCA(chart.Annotations))
	want.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "MutatingWebhookConfiguration", Name: chart.Name, UID: chart.UID,
	}}
	entry := chart.Webhooks[i].DeepCopy()
	entry.Name, entry.Rules = entryName, nil
	// Whoever keeps the bundle of the chart's entries keeps this, unless that is the user.
	if len(live.Webhooks) == 1 && len(live.Webhooks[0].ClientConfig.CABundle) > 0 && chart.Annotations[caAnnotation] != caProvided {
		entry.ClientConfig.CABundle = live.Webhooks[0].ClientConfig.CABundle
	}
	entry.Rules = rulesFor(kinds, live)
	if len(entry.Rules) == 0 { // nothing is known yet of any kind
		return nil, nil
	}
	want.Webhooks = []admissionregistrationv1.MutatingWebhook{*entry}
	return want, nil
}

// rulesFor are the rules for kinds.
func rulesFor(kinds []served, live *admissionregistrationv1.MutatingWebhookConfiguration) (rules []admissionregistrationv1.RuleWithOperations) {
	listed := map[served]bool{}
	add := func(kind served) {
		if listed[kind] {
			return
		}
		listed[kind] = true
		rules = append(rules, admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
			Rule: admissionregistrationv1.Rule{
				APIGroups: []string{kind.group}, APIVersions: []string{kind.version}, Resources: []string{kind.resource}, Scope: new(admissionregistrationv1.NamespacedScope),
			},
		})
	}
	for _, kind := range kinds {
		if kind.resource != "" {
			add(kind)
			continue
		}
		for _, resource := range asked(live, kind.group, kind.version) {
			add(served{kind.group, kind.version, resource})
		}
	}
	return rules
}

// asked are the resources of a group and version that the webhook is asked about.
func asked(live *admissionregistrationv1.MutatingWebhookConfiguration, group, version string) (resources []string) {
	for i := range live.Webhooks {
		for _, rule := range live.Webhooks[i].Rules {
			if slices.Contains(rule.APIGroups, group) && slices.Contains(rule.APIVersions, version) {
				resources = append(resources, rule.Resources...)
			}
		}
	}
	return resources
}

func merged(base, over map[string]string) map[string]string {
	if len(base)+len(over) == 0 {
		return base
	}
	all := map[string]string{}
	maps.Copy(all, base)
	maps.Copy(all, over)
	return all
}

// aboutCA are the annotations by which somebody is asked to fill in the CA bundle.
func aboutCA(annotations map[string]string) map[string]string {
	about := maps.Clone(annotations)
	maps.DeleteFunc(about, func(key, _ string) bool { return !isAboutCA(key) })
	return about
}

func isAboutCA(key string) bool {
	return key == caAnnotation || strings.HasPrefix(key, "cert-manager.io/") || strings.HasPrefix(key, "service.beta.openshift.io/")
}
