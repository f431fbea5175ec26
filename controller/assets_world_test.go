// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// cleanAssets leaves none to the controllers of the next test.
func (w *world) cleanAssets(ctx context.Context) {
	for _, list := range []client.ObjectList{&v1alpha1.EnvironmentList{}, &v1alpha1.DataSourceList{}, &v1alpha1.WorkloadTemplateList{}} {
		w.must(w.List(ctx, list))
		w.must(meta.EachListItem(list, func(o runtime.Object) error {
			return client.IgnoreNotFound(w.Delete(ctx, o.(client.Object)))
		}))
	}
}

// environment makes the Environment torch for the cluster, which gives credentials.
func (w *world) environment(credentials ...v1alpha1.AssetName) *v1alpha1.Environment {
	w.Helper()
	return w.environmentIn(w.layout.SystemNamespace, clusterScope, credentials...)
}

func (w *world) environmentIn(namespace string, scope v1alpha1.Scope, credentials ...v1alpha1.AssetName) *v1alpha1.Environment {
	w.Helper()
	e := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "torch"}}
	e.Spec.Scope, e.Spec.Credentials = scope, credentials
	w.must(w.Create(w.Context(), e))
	return e
}

// template makes a WorkloadTemplate for the cluster with an environment.
func (w *world) template(name string, environment v1alpha1.AssetName) *v1alpha1.WorkloadTemplate {
	w.Helper()
	t := &v1alpha1.WorkloadTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.SystemNamespace, Name: name}}
	t.Spec.Scope, t.Spec.Environment = clusterScope, environment
	w.must(w.Create(w.Context(), t))
	return t
}

// files makes a DataSource for the cluster of a credential's keys.
func (w *world) files(name string, credential v1alpha1.AssetName) *v1alpha1.DataSource {
	w.Helper()
	d := &v1alpha1.DataSource{ObjectMeta: metav1.ObjectMeta{Namespace: w.layout.SystemNamespace, Name: name}}
	d.Spec.Scope, d.Spec.Secret = clusterScope, &v1alpha1.CredentialMount{Credential: credential, MountPath: "/files"}
	w.must(w.Create(w.Context(), d))
	return d
}

// asks makes a Deployment whose pods have one of our annotations.
func (w *world) asks(namespace, name, annotation, value string) *appsv1.Deployment {
	w.Helper()
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{annotation: value}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{container}},
		}},
	}
	w.must(w.Create(w.Context(), d))
	return d
}

// assetStatus waits for a status of an asset that fits.
func (w *world) assetStatus(object client.Object, what string, fits func(v1alpha1.AssetStatus) bool) {
	w.Helper()
	var status v1alpha1.AssetStatus
	w.eventually(fmt.Sprintf("the status of %s is %s", object.GetName(), what), func() error {
		if err := w.Get(w.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		switch o := object.(type) {
		case *v1alpha1.Environment:
			status = o.Status
		case *v1alpha1.DataSource:
			status = o.Status
		case *v1alpha1.WorkloadTemplate:
			status = o.Status
		}
		if status.ObservedGeneration != object.GetGeneration() || !fits(status) {
			return fmt.Errorf("it is %+v", status)
		}
		return nil
	})
}

// assetReady waits until the condition Ready of an asset has a reason and words.
func (w *world) assetReady(object client.Object, reason string, words ...string) {
	w.Helper()
	w.assetStatus(object, fmt.Sprintf("%s %q", reason, words), func(s v1alpha1.AssetStatus) bool {
		is := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady)
		return is != nil && is.Reason == reason && (is.Status == metav1.ConditionTrue) == (reason == v1alpha1.ReasonResolved) &&
			!slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(is.Message, word) })
	})
}

// assetUsedBy waits until an asset is used by these, and only them.
func (w *world) assetUsedBy(object client.Object, names ...string) {
	w.Helper()
	w.assetStatus(object, fmt.Sprintf("used by %v", names), func(s v1alpha1.AssetStatus) bool {
		is := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionInUse)
		return is != nil && (is.Status == metav1.ConditionTrue) == (len(names) > 0) && is.Status != metav1.ConditionUnknown &&
			slices.Equal(s.UsedBy.Names, names) && s.UsedBy.Total == int32(len(names))
	})
}

// table asks for an object as kubectl get does.
func (w *world) table(path string) *metav1.Table {
	w.Helper()
	http, err := rest.HTTPClientFor(w.config)
	w.must(err)
	config := rest.CopyConfig(w.config)
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.GroupVersion = &metav1.SchemeGroupVersion
	c, err := rest.RESTClientForConfigAndClient(config, http)
	w.must(err)
	raw, err := c.Get().AbsPath(path).SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(w.Context())
	w.must(err)
	table := &metav1.Table{}
	w.must(json.Unmarshal(raw, table))
	return table
}
