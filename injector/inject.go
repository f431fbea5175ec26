// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"slices"
	"time"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/remark"
)

// Catalog is what the injector knows of a cluster. Package catalog implements it.
type Catalog interface {
	// Layout says which labels make projects.
	Layout() credential.Layout
	// Place returns what a namespace is.
	Place(namespace string) (credential.Place, bool)
	// Lookup returns the credential that a name means in a project.
	Lookup(project credential.Place, name string) (*catalog.Entry, bool)
	// Visible returns the names that mean a credential in a project, sorted.
	Visible(project credential.Place) []string
	// LookupAsset returns the asset that a name means in a project, or inside an asset.
	LookupAsset(kind asset.Kind, from credential.Place, name string) (*asset.Asset, bool)
	// VisibleAssets returns the names that mean an asset of a kind in a project, sorted.
	VisibleAssets(kind asset.Kind, project credential.Place) []string
	// Inside returns the place from which names in an asset are looked up.
	Inside(a *asset.Asset) (credential.Place, bool)
	// PullCandidates yields the credentials that may be used automatically.
	PullCandidates(project credential.Place, yield func(*catalog.Entry))
}

// Request is one pod, or pod template, to be injected into.
type Request struct {
	// Pod is what was decoded of the document.
	Pod *pod.Pod
	// Namespace is where it is, or will be. That of the document's own metadata is
	// often empty.
	Namespace string
	// Prefix is the JSON pointer of the pod within the document: empty for a pod,
	// "/spec/template" for a Deployment.
	Prefix string
	// PullSecrets adds image pull secrets. They belong to pods: in a workload's
	// template they make the API server skip the service account's own.
	PullSecrets bool
	// Since returns when the workload that the pod belongs to was created, and false
	// for a pod that nothing controls. Asked only when a credential is being
	// deleted; nil means that there is no such workload.
	Since func() (time.Time, bool)
	// Fetch says with what data sources are fetched. The default is that of an
	// installation that changes nothing.
	Fetch *fetch.Settings
}

// isNewWorkload says whether the pod belongs to a workload that came after a
// deletion began. Replacements of older pods are admitted: else the protection
// would cause the outage that it is there to prevent.
func (r *Request) isNewWorkload(deletedAt *metav1.Time) bool {
	if r.Since == nil {
		return true
	}
	since, controlled := r.Since()
	return !controlled || since.After(deletedAt.Time)
}

// Result is what a pod gets.
type Result struct {
	// Operations turn the document into the injected one. They only add, except where
	// an Environment takes the place of its placeholder.
	Operations []jsonpatch.Operation
	// Warnings are at most five facts of at most 200 characters that the author
	// should know.
	Warnings []string
	// Record is what each credential and each asset became.
	Record remark.Record
}

// Inject decides what a pod gets. The error, if any, is a *Refusal, and then there
// are no operations: nothing is ever half injected. Applied to its own result it
// finds nothing more to do.
func Inject(known Catalog, request Request) (Result, error) {
	plan, refusal := decide(known, &request)
	switch {
	case refusal != nil:
		return Result{}, refusal
	case plan == nil:
		return Result{}, nil
	}
	return plan.result(), nil
}

// decide makes the plan for a pod; nil if it gets nothing whatever there is.
func decide(known Catalog, request *Request) (*plan, *Refusal) {
	if _, isMirror := request.Pod.Metadata.Annotations[corev1.MirrorPodAnnotationKey]; isMirror {
		return nil, nil // of a static pod: the kubelet runs it from a file, and it may not refer to Secrets
	}
	wanted, err := annotation.Parse(request.Pod.Metadata.Annotations)
	if wanted.Off {
		return nil, nil
	}
	place, _ := known.Place(request.Namespace)
	if err != nil {
		return nil, malformed(known, place, err)
	}
	if !place.IsProject() {
		return nil, outsideProjects(known.Layout(), place, request)
	}
	resolver := resolver{known: known, place: place, request: request}
	if refusal := resolver.resolve(&wanted); refusal != nil {
		return nil, refusal
	}
	plan, refusal := newPlan(request, resolver.fetchers)
	if refusal != nil {
		return nil, refusal
	}
	plan.warnings = resolver.warnings
	if refusal := plan.addAll(&resolver, &wanted); refusal != nil {
		return nil, refusal
	}
	if request.PullSecrets {
		plan.addAutomatic(known, place)
	}
	return plan, nil
}

// outsideProjects refuses annotated pods. Others are none of our business.
func outsideProjects(layout credential.Layout, place credential.Place, request *Request) *Refusal {
	keys := make([]string, 0, 4)
	for key := range request.Pod.Metadata.Annotations {
		if annotation.Asks(key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	namespace := annotation.Show(request.Namespace)
	if place.Home != "" {
		return refuse(slices.Min(keys), "namespace %s is a department's home (label %s), and a home is never a project", namespace, v1alpha1.LabelDepartmentHome)
	}
	if place.HoldsCredentials() || layout.Excludes(request.Namespace) {
		return refuse(slices.Min(keys), "namespace %s is not a project and cannot be one", namespace)
	}
	refusal := refuse(slices.Min(keys), "namespace %s is not a project; label it %s=<name>", namespace, layout.ProjectLabel)
	refusal.Kind = NotFound
	return refusal
}
