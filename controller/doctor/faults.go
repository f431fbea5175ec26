// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/remark"
	"github.com/credence-dev/credence/usage/object"
)

// Judge finds what is wrong with a pod. It is a pure function of the pod and of what
// the catalog knows.
type Judge struct {
	Catalog *catalog.Catalog
	// Fetch are the cluster's settings for fetching data sources; nil for the default.
	Fetch *fetch.Settings
}

// fault is one thing that is wrong with a pod.
type fault struct {
	kind    Kind
	lacks   []string
	refusal string
}

// subject is a pod that is looked at.
type subject struct {
	*corev1.Pod
	place    credential.Place
	document []byte
	decoded  *pod.Pod
	secrets  sets.Set[string]
}

// faults says what is wrong with a pod: nothing with one that runs no more or is
// going, that no admission can change or that wants nothing.
func (j *Judge) faults(of *corev1.Pod) (faults []fault, err error) {
	defer func() { // one pod, which anybody can write, must not end the process
		if recover() != nil { // what it was may quote the pod
			faults, err = nil, fmt.Errorf("judging pod %s/%s: the program failed over it; please report that", of.Namespace, of.Name)
		}
	}()
	place, _ := j.Catalog.Place(of.Namespace)
	if isOver(of) || isMirror(of) || of.Annotations[v1alpha1.AnnotationInject] == "false" || !place.IsProject() {
		return nil, nil
	}
	asks, waits := annotation.AsksAny(of.Annotations), !hasRun(of) && j.hasLogins(place)
	if !asks && !waits {
		return nil, nil
	}
	s, err := newSubject(of, place)
	if err != nil {
		return nil, err
	}
	found, err := j.examine(s, waits)
	if err != nil || found == nil {
		return nil, err
	}
	return []fault{*found}, nil
}

// examine says what is wrong with a pod: that it was not injected, or else, if it
// waits, that it lacks registry logins. One that was not injected may lack these too,
// which a new pod would have.
func (j *Judge) examine(s *subject, waits bool) (*fault, error) {
	result, refusal, err := j.inject(s.decoded, s.Namespace)
	if err != nil {
		return nil, err
	}
	lacks, err := j.lacks(s, &result, refusal)
	if err != nil {
		return nil, err
	}
	if len(lacks) > 0 {
		return &fault{NotInjected, lacks, refusal}, nil
	}
	if waits {
		if logins := j.missingLogins(s, &result); len(logins) > 0 {
			return &fault{kind: PullSecretMissing, lacks: logins}, nil
		}
	}
	return nil, nil
}

func newSubject(of *corev1.Pod, place credential.Place) (*subject, error) {
	s := &subject{Pod: of, place: place, secrets: secretsOf(of)}
	var err error
	if s.document, err = json.Marshal(of); err != nil {
		return nil, fmt.Errorf("writing pod %s/%s: %w", of.Namespace, of.Name, err)
	}
	if s.decoded, err = pod.Decode(s.document); err != nil {
		return nil, fmt.Errorf("reading pod %s/%s: %w", of.Namespace, of.Name, err)
	}
	return s, nil
}

// inject decides what a pod would get now. The pod is there, so that a credential
// which is being deleted is none the less its own.
func (j *Judge) inject(decoded *pod.Pod, namespace string) (injector.Result, string, error) {
	result, err := injector.Inject(j.Catalog, injector.Request{
		Pod: decoded, Namespace: namespace, PullSecrets: true, Fetch: j.Fetch,
		Since: func() (time.Time, bool) { return time.Time{}, true },
	})
	var refusal *injector.Refusal
	if errors.As(err, &refusal) {
		return injector.Result{}, refusal.Error(), nil
	}
	return result, "", err
}

func isOver(p *corev1.Pod) bool {
	return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

func isMirror(p *corev1.Pod) bool {
	_, mirror := p.Annotations[corev1.MirrorPodAnnotationKey]
	return mirror
}

// hasRun says whether a container of a pod was ever started.
func hasRun(p *corev1.Pod) bool {
	if p.Status.Phase != corev1.PodPending && p.Status.Phase != "" {
		return true
	}
	for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		if slices.ContainsFunc(list, func(s corev1.ContainerStatus) bool {
			return s.State.Running != nil || s.State.Terminated != nil || s.LastTerminationState.Terminated != nil
		}) {
			return true
		}
	}
	return false
}

// hasLogins says whether any registry login may be used in a project.
func (j *Judge) hasLogins(place credential.Place) bool {
	any := false
	j.Catalog.PullCandidates(place, func(*catalog.Entry) { any = true })
	return any
}

// missingLogins are those that the pod would get now because they serve an image, and
// that it does not have.
func (j *Judge) missingLogins(s *subject, result *injector.Result) []string {
	var names []string
	for name, ways := range result.Record {
		if !slices.Contains(ways, remark.AutomaticPullSecret) {
			continue
		}
		if entry, ok := j.Catalog.Lookup(s.place, name); ok && entry.DeletedAt == nil && !s.pulls(entry.KubernetesName) {
			names = append(names, fmt.Sprintf("registry login %q", name))
		}
	}
	slices.Sort(names)
	return names
}

func (s *subject) pulls(secret string) bool {
	return slices.ContainsFunc(s.Spec.ImagePullSecrets, func(r corev1.LocalObjectReference) bool { return r.Name == secret })
}

// secretsOf are the Secrets that a pod refers to, in whatever way.
func secretsOf(p *corev1.Pod) sets.Set[string] {
	names := sets.New[string]()
	read, _ := object.Read(p)
	for _, reference := range read.Shape.Value().Refers.List() {
		if reference.Kind == object.Secret {
			names.Insert(reference.Name)
		}
	}
	return names
}

// patched is a pod with operations applied.
func patched(document []byte, operations []jsonpatch.Operation) (*corev1.Pod, error) {
	after, err := patch.Apply(document, operations)
	if err != nil {
		return nil, err
	}
	p := &corev1.Pod{}
	return p, json.Unmarshal(after, p)
}

// isContent says whether an operation changes what a pod is, and not only what is
// said of it, or where its images come from.
func isContent(o jsonpatch.Operation) bool {
	return !strings.HasPrefix(o.Path, "/metadata/") && !strings.HasPrefix(o.Path, "/spec/imagePullSecrets")
}
