// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind is a kind that has pods.
type Kind struct {
	Group string
	// Versions are those that are known to have the pod templates where Paths say, the
	// one to be preferred first.
	Versions []string
	Kind     string
	// Resource is the plural, as the API's paths have it.
	Resource string
	// Paths say where the pod templates are; none for a pod itself.
	Paths []Path
	// Carries says that annotations on the object are carried to its templates.
	Carries bool
	// OnlyNew says that the templates of an object never change, so that annotations are
	// carried when it is created and not after.
	OnlyNew bool
	// Revisions says that a template is named, and that each name stands for what it was
	// when it came: one that keeps its name must stay as it is.
	Revisions bool
	// PullSecrets says that image pull secrets belong in the templates too: images are
	// looked up by them before there is a pod.
	PullSecrets bool
}

// Is says whether an object is of the kind, in whatever version.
func (k *Kind) Is(group, kind string) bool { return k.Group == group && k.Kind == kind }

// String is "apps/v1 Deployment".
func (k *Kind) String() string { return k.APIVersion() + " " + k.Kind }

// APIVersion is that of the preferred version.
func (k *Kind) APIVersion() string {
	if k.Group == "" {
		return k.Versions[0]
	}
	return k.Group + "/" + k.Versions[0]
}

// builtIn are the kinds of Kubernetes' own.
var builtIn = []Kind{
	{Versions: v1, Kind: "Pod", Resource: "pods"},
	{Versions: v1, Kind: "PodTemplate", Resource: "podtemplates", Paths: mustPaths(".template")},
	{Versions: v1, Kind: "ReplicationController", Resource: "replicationcontrollers", Paths: inSpec, Carries: true},
	{Group: "apps", Versions: v1, Kind: "DaemonSet", Resource: "daemonsets", Paths: inSpec, Carries: true},
	{Group: "apps", Versions: v1, Kind: "Deployment", Resource: "deployments", Paths: inSpec, Carries: true},
	{Group: "apps", Versions: v1, Kind: "ReplicaSet", Resource: "replicasets", Paths: inSpec, Carries: true},
	{Group: "apps", Versions: v1, Kind: "StatefulSet", Resource: "statefulsets", Paths: inSpec, Carries: true},
	{Group: "batch", Versions: v1, Kind: "CronJob", Resource: "cronjobs", Paths: mustPaths(".spec.jobTemplate.spec.template"), Carries: true},
	{Group: "batch", Versions: v1, Kind: "Job", Resource: "jobs", Paths: inSpec, Carries: true, OnlyNew: true},
}

// What many kinds have.
var (
	v1     = []string{"v1"}
	inSpec = mustPaths(".spec.template")
)

// BuiltIn are the kinds of Kubernetes' own that have pods, the pod among them.
func BuiltIn() []Kind { return slices.Clone(builtIn) }

// KindOf returns the kind that an object is of, whether of Kubernetes' own or one of
// the third-party kinds that are known.
func KindOf(apiVersion, kind string) (Kind, bool) {
	group, _, versioned := strings.Cut(apiVersion, "/")
	if !versioned {
		group = ""
	}
	for _, known := range [][]Kind{builtIn, thirdParty} {
		for i := range known {
			if known[i].Is(group, kind) {
				return known[i], true
			}
		}
	}
	return Kind{}, false
}

// Kinds are the kinds that have pods, as "apps/v1 Deployment", sorted.
func Kinds() []string {
	var kinds []string
	for _, known := range [][]Kind{builtIn, thirdParty} {
		for i := range known {
			kinds = append(kinds, known[i].String())
		}
	}
	slices.Sort(kinds)
	return kinds
}

// Templates returns where the pods of an object are described. There may be none. The
// error is a *pod.Error.
func (k *Kind) Templates(object []byte) ([]Template, error) {
	if len(k.Paths) == 0 {
		return []Template{{}}, nil
	}
	var list []Template
	for _, path := range k.Paths {
		all, err := path.in(jsontext.Value(object))
		if err != nil {
			return nil, err
		}
		for _, one := range all {
			list = append(list, Template{Prefix: one.pointer, Carries: k.Carries, PullSecrets: k.PullSecrets})
		}
	}
	return list, nil
}

// Find returns the pod templates in an object as JSON has it.
func (k *Kind) Find(object map[string]any) []map[string]any {
	var list []map[string]any
	for _, path := range k.Paths {
		list = append(list, path.Find(object)...)
	}
	return list
}
