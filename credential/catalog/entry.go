// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
)

// Entry is a Credential as those who use it see it: identity, keys, registries
// and how it fares. It is immutable, so that it may be shared.
type Entry struct {
	types.NamespacedName
	// DisplayName is what people see: the name, if the spec gives no other.
	DisplayName string
	Definition  *credential.Definition
	Scope       v1alpha1.Scope
	Injection   *v1alpha1.Injection
	// KubernetesName is the name of the Secret that pods refer to.
	KubernetesName string
	// Keys of the Secret. KeysKnown is false if the Secret was never seen; its keys
	// are then the first spellings of the type's roles.
	Keys      []v1alpha1.SecretKey
	KeysKnown bool
	// DeletedAt is when the deletion of the Credential began, nil if it did not.
	DeletedAt *metav1.Time
	// Behind says that the status is about an older spec, or about none.
	Behind bool
	// Problem is the reason why the credential cannot be used, a Reason… constant
	// of the condition Ready; empty if it can.
	Problem string
	// SourceMissing says that the source is gone for the moment; copies stay.
	SourceMissing bool

	patterns       []credential.Pattern
	pending, taken []string // sorted
	// cut says that the status does not have room for all of either.
	cut bool
}

// NewEntry reads a Credential with its status. It keeps nothing of the object
// that a caller could change.
func NewEntry(c *v1alpha1.Credential) *Entry {
	definition, ok := credential.DefinitionOf(c.Spec.Type)
	if !ok {
		definition = &credential.Definition{Type: c.Spec.Type}
	}
	entry := &Entry{
		NamespacedName: types.NamespacedName{Namespace: c.Namespace, Name: c.Name},
		DisplayName:    cmp.Or(c.Spec.DisplayName, c.Name),
		Definition:     definition,
		Scope:          c.Spec.Scope,
		Injection:      c.Spec.Injection.DeepCopy(),
		KubernetesName: credential.KubernetesName(c),
		Keys:           slices.Clone(c.Status.Keys),
		KeysKnown:      len(c.Status.Keys) > 0,
		DeletedAt:      c.DeletionTimestamp.DeepCopy(),
		Behind:         isBehind(c),
		pending:        slices.Sorted(slices.Values(c.Status.PendingNamespaces)),
		taken:          slices.Sorted(slices.Values(c.Status.TakenNamespaces)),
		cut:            c.Status.Namespaces.Truncated,
	}
	entry.setRegistries(c.Status.Registries)
	if ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Status == metav1.ConditionFalse {
		entry.setReason(ready.Reason)
	}
	if !entry.KeysKnown {
		entry.Keys = definition.AssumedKeys()
	}
	return entry
}

// isBehind says whether the status is about an older spec, or about none. A deletion
// makes a generation of its own, of the same spec: while no controller takes note of it,
// the pods of those who use the credential must still be replaced.
func isBehind(c *v1alpha1.Credential) bool {
	spec := c.Generation
	if c.DeletionTimestamp != nil {
		spec--
	}
	return c.Status.ObservedGeneration == 0 || c.Status.ObservedGeneration < spec
}

// NewEntryFromSource reads a Credential that no controller has seen, as in
// manifests: what a status would say is computed from the source. A secret of
// nil means that nothing is known about the source.
func NewEntryFromSource(c credential.Candidate) (*Entry, *credential.Problem) {
	bare := c.Credential.DeepCopy()
	bare.Status = v1alpha1.CredentialStatus{}
	entry := NewEntry(bare)
	entry.Behind = false
	facts, problem := credential.Examine(c)
	switch {
	case problem == nil:
		entry.Keys, entry.KeysKnown = facts.Keys, true
		entry.setRegistries(facts.Registries)
	case problem.Reason == v1alpha1.ReasonSourceMissing:
		return entry, nil
	default:
		entry.setReason(problem.Reason)
	}
	return entry, problem
}

func (e *Entry) setRegistries(registries []string) {
	e.patterns = make([]credential.Pattern, len(registries))
	for i, registry := range registries {
		e.patterns[i] = credential.ParsePattern(registry)
	}
}

func (e *Entry) setReason(reason string) {
	switch reason {
	case v1alpha1.ReasonSourceMissing:
		e.SourceMissing = true
	case v1alpha1.ReasonNotAProject, v1alpha1.ReasonWrongNamespace,
		v1alpha1.ReasonSourceNotAuthorized, v1alpha1.ReasonSourceNotAllowed,
		v1alpha1.ReasonSourceInUse, v1alpha1.ReasonSourceInvalid:
		e.Problem = reason
	}
}

// HasRegistries says whether the credential is used automatically for images.
func (e *Entry) HasRegistries() bool { return e.Definition.Registries }

// Serves returns the most specific pattern that serves an image. Patterns are in
// the order in which the kubelet tries them.
func (e *Entry) Serves(image credential.Image) (pattern string, ok bool) {
	for i := range e.patterns {
		if e.patterns[i].Serves(image) {
			return e.patterns[i].String(), true
		}
	}
	return "", false
}

// Taken says whether another Secret is known to have the Kubernetes name in a
// namespace.
func (e *Entry) Taken(namespace string) bool {
	_, found := slices.BinarySearch(e.taken, namespace)
	return found
}

// SecretState is what the Secret of a credential's Kubernetes name is in a namespace,
// as far as the status tells.
type SecretState int

const (
	// SecretReady is the credential's own.
	SecretReady SecretState = iota
	// SecretPending is not there yet.
	SecretPending
	// SecretTaken is another Secret, which has the name.
	SecretTaken
	// SecretMaybeTaken may be another Secret: the status names the first 500 namespaces
	// where that is so, and would not tell of this one.
	SecretMaybeTaken
)

// SecretIn says what the credential's Secret is in a namespace of its scope.
func (e *Entry) SecretIn(namespace string) SecretState {
	if e.Taken(namespace) {
		return SecretTaken
	}
	if _, pending := slices.BinarySearch(e.pending, namespace); pending {
		return SecretPending
	}
	if n := len(e.taken); e.cut && n == v1alpha1.MaxStatusNamespaces && e.taken[n-1] < namespace {
		return SecretMaybeTaken
	}
	return SecretReady
}
