// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// TestUsedThroughAssets: who gets a credential through an asset uses it, where the
// names mean that.
func TestUsedThroughAssets(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "research")
	system := w.layout.SystemNamespace
	w.run()
	c := w.generic("key")
	w.usedBy(c)
	torch, gpu, files := w.environment("key"), w.template("gpu", "torch"), w.files("files", "key")
	w.usedBy(c, "WorkloadTemplate "+system+"/gpu", "Environment "+system+"/torch", "DataSource "+system+"/files")
	w.assetUsedBy(torch, "WorkloadTemplate "+system+"/gpu")

	web := w.asks(a, "web", v1alpha1.AnnotationEnvironment, "torch")
	w.asks(b, "train", v1alpha1.AnnotationTemplate, "gpu")
	kit := &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: a, Name: "kit"}, Template: corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationDataSources: "none, files"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{container}}}}
	w.must(w.Create(w.Context(), kit))
	status := w.usedBy(c, "Deployment "+a+"/web", "Deployment "+b+"/train", "PodTemplate "+a+"/kit",
		"WorkloadTemplate "+system+"/gpu", "Environment "+system+"/torch", "DataSource "+system+"/files")
	want := v1alpha1.UsedBy{Total: 6, Workloads: 2, Templates: 2, Environments: 1, DataSources: 1, Names: status.UsedBy.Names}
	if diff := cmp.Diff(want, status.UsedBy); diff != "" {
		t.Errorf("used by (-want +got):\n%s", diff)
	}
	if message := inUse(status).Message; message != "used by 2 workloads, 2 templates, 1 environment and 1 data source; usedBy names them" {
		t.Errorf("InUse says: %s", message)
	}
	w.assetUsedBy(torch, "Deployment "+a+"/web", "Deployment "+b+"/train", "WorkloadTemplate "+system+"/gpu")
	w.assetUsedBy(files, "PodTemplate "+a+"/kit")
	w.assetUsedBy(gpu, "Deployment "+b+"/train")

	// A narrower one takes its name's users with it, but not those of templates that
	// mean the wider one.
	mine := w.environmentIn(a, projectScope)
	w.assetUsedBy(mine, "Deployment "+a+"/web")
	w.assetUsedBy(torch, "Deployment "+b+"/train", "WorkloadTemplate "+system+"/gpu")
	w.usedBy(c, "Deployment "+b+"/train", "PodTemplate "+a+"/kit",
		"WorkloadTemplate "+system+"/gpu", "Environment "+system+"/torch", "DataSource "+system+"/files")
	w.remove(mine)
	w.assetUsedBy(torch, "Deployment "+a+"/web", "Deployment "+b+"/train", "WorkloadTemplate "+system+"/gpu")

	// What an asset refers to no more has lost all of its users.
	w.change(torch, func() { torch.Spec.Credentials = nil })
	w.usedBy(c, "PodTemplate "+a+"/kit", "DataSource "+system+"/files")
	w.remove(kit)
	w.remove(files)
	w.usedBy(c)
	w.remove(web)
	w.remove(gpu)
	w.assetUsedBy(torch)
}

// TestUsedThroughAHome: a namespace that becomes a department's home brings the users
// of the assets in it.
func TestUsedThroughAHome(t *testing.T) {
	w := newWorld(t)
	home, b := w.namespace("home", nil), w.project("b", "research")
	w.run()
	c := w.generic("key")
	torch := w.environmentIn(home, researchScope, "key")
	w.asks(b, "train", v1alpha1.AnnotationEnvironment, "torch")
	w.assetReady(torch, v1alpha1.ReasonNotAProject)
	w.usedBy(c)
	w.relabel(w.namespaceNamed(home), v1alpha1.LabelDepartmentHome, "research")
	w.assetReady(torch, v1alpha1.ReasonResolved)
	w.assetUsedBy(torch, "Deployment "+b+"/train")
	w.usedBy(c, "Deployment "+b+"/train", "Environment "+home+"/torch")
	w.relabel(w.namespaceNamed(home), v1alpha1.LabelDepartmentHome, "")
	w.usedBy(c)
}

// TestOnDemandThroughAssets: copies come and go with what uses the credential through
// assets.
func TestOnDemandThroughAssets(t *testing.T) {
	w := newWorld(t)
	a, b := w.project("a", ""), w.project("b", "")
	w.run()
	c := w.onDemand("model")
	w.spread(c, 0)
	torch := w.environment("model")
	w.usedBy(c, "Environment "+torch.Namespace+"/torch")
	w.spread(c, 0)
	web := w.asks(a, "web", v1alpha1.AnnotationEnvironment, "torch")
	w.spread(c, 1)
	if w.secret(a, "genericsecret-model") == nil {
		t.Error("there is no copy where it is used")
	}
	w.noCopies(b)
	w.change(torch, func() { torch.Spec.Credentials = nil })
	w.spread(c, 0)
	w.noCopies(a)
	w.change(torch, func() { torch.Spec.Credentials = []v1alpha1.AssetName{"model"} })
	w.spread(c, 1)
	w.remove(web)
	w.spread(c, 0)
}

// TestLeaversThroughAssets: pods that have a credential through an asset are left
// behind like others when their namespace leaves the scope.
func TestLeaversThroughAssets(t *testing.T) {
	w := newWorld(t)
	w.project("a", "research")
	b := w.project("b", "research")
	w.run()
	c := w.ofResearch(w.layout.SystemNamespace, "model")
	w.environmentIn(w.layout.SystemNamespace, researchScope, "model")
	w.spread(c, 2)
	pod := w.pod(b, "train", "genericsecret-model", func(p *corev1.Pod) {
		p.Annotations = map[string]string{v1alpha1.AnnotationEnvironment: "torch"}
	})
	w.usedBy(c, "Pod "+b+"/train", "Environment "+w.layout.SystemNamespace+"/torch")
	w.relabel(w.namespaceNamed(b), w.layout.DepartmentLabel, "sales")
	w.leftBehind(c, b, "1 workload there still refers to it, Pod "+b+"/train")
	w.remove(pod)
	w.spread(c, 1)
}

// TestRestartThroughAssets: what reads a credential that an Environment gave is
// restarted like what named it.
func TestRestartThroughAssets(t *testing.T) {
	w := newWorld(t).restarting()
	a := w.project("a", "")
	w.run()
	c := w.rotating("key")
	w.environment("key")
	w.spread(c, 1)
	web := w.asks(a, "web", v1alpha1.AnnotationEnvironment, "torch")
	injected := reading("genericsecret-key")
	injected.Annotations, injected.Labels = web.Spec.Template.Annotations, selector.MatchLabels
	w.replica(web, "web", injected, longAgo)
	w.restarted(web, w.rotate(c, "not-a-secret-2").Fingerprint)
}

// TestAssetStatus: what an asset refers to and cannot have is told, by a condition and
// an event, until it can.
func TestAssetStatus(t *testing.T) {
	w := newWorld(t)
	w.project("a", "")
	w.run()
	torch := w.environment("key")
	gpu := w.template("gpu", "torch")
	w.assetReady(torch, v1alpha1.ReasonReferenceNotFound, "spec.credentials[0]", `"key"`)
	w.assetReady(gpu, v1alpha1.ReasonReferenceNotReady, "spec.environment", `environment "torch"`)
	w.assetUsedBy(torch, "WorkloadTemplate "+w.layout.SystemNamespace+"/gpu")
	w.eventually("it is told", func() error { return w.toldOf(torch, v1alpha1.ReasonReferenceNotFound, `"key"`) })

	c := w.generic("key")
	w.assetReady(torch, v1alpha1.ReasonResolved)
	w.assetReady(gpu, v1alpha1.ReasonResolved)
	w.eventually("it is told", func() error { return w.toldOf(torch, v1alpha1.ReasonResolved, "can be had") })

	w.must(w.Delete(w.Context(), c))
	w.gone(c)
	w.assetReady(torch, v1alpha1.ReasonReferenceNotFound)
	w.assetReady(gpu, v1alpha1.ReasonReferenceNotReady)
}

// TestAssetStatusCostsOneWrite: a new asset is one write, so is each change of its
// users, and nothing else is any.
func TestAssetStatusCostsOneWrite(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	c := w.generic("key")
	w.spread(c, 1)
	w.usedBy(c)
	w.quiet(c)
	path := "/apis/credence.dev/v1alpha1/namespaces/" + c.Namespace + "/environments/torch/status"
	torch := w.environment("key")
	w.assetReady(torch, v1alpha1.ReasonResolved)
	w.usedBy(c, "Environment "+c.Namespace+"/torch")
	w.settle(c)
	if writes := w.sent.writes(""); len(writes) != 2 {
		t.Errorf("a new asset took %v", writes)
	}
	w.quiet(c)
	w.asks(a, "web", v1alpha1.AnnotationEnvironment, "torch")
	w.assetUsedBy(torch, "Deployment "+a+"/web")
	w.usedBy(c, "Deployment "+a+"/web", "Environment "+c.Namespace+"/torch")
	w.settle(c)
	if writes := w.sent.writes(path); len(writes) != 1 {
		t.Errorf("a new user took %v", writes)
	}
	w.quiet(c)
	w.run()
	w.settle(c)
	w.settle(c)
	if writes := w.sent.writes(""); len(writes) > 0 {
		t.Errorf("a restart wrote %v", writes)
	}
}

// TestAssetTable is what kubectl get prints.
func TestAssetTable(t *testing.T) {
	w := newWorld(t)
	a := w.project("a", "")
	w.run()
	torch := w.environment("key")
	w.asks(a, "web", v1alpha1.AnnotationEnvironment, "torch")
	w.assetUsedBy(torch, "Deployment "+a+"/web")
	table := w.table("/apis/credence.dev/v1alpha1/namespaces/" + torch.Namespace + "/environments/torch")
	got := map[string]string{}
	for i, column := range table.ColumnDefinitions {
		got[column.Name] = fmt.Sprint(table.Rows[0].Cells[i])
	}
	for column, want := range map[string]string{"Name": "torch", "Scope": "cluster", "Ready": "False", "Reason": "ReferenceNotFound", "Used by": "1"} {
		if got[column] != want {
			t.Errorf("%s is %q, want %q; all are %v", column, got[column], want, got)
		}
	}
}
