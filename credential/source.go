// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Facts is what a valid source tells about a credential. It holds no values.
type Facts struct {
	// KubernetesName is the name of the Secret that pods refer to.
	KubernetesName string
	// Keys are the data keys with their roles, sorted by key.
	Keys []v1alpha1.SecretKey
	// Registries are the patterns of a docker-registry credential.
	Registries []string
}

// Problem is why a credential cannot be spread. It is what the condition Ready
// says.
type Problem struct {
	// Reason is a Reason… constant of the condition Ready.
	Reason string
	// Message names objects and fields, never values, and is stable.
	Message string
}

// Error makes a Problem an error.
func (p *Problem) Error() string { return p.Message }

// Withdraws says whether the problem takes back copies that were made: a source
// that is no longer allowed does, one that is missing for a moment, or wrong in
// its content, does not.
func (p *Problem) Withdraws() bool {
	switch p.Reason {
	case v1alpha1.ReasonSourceNotAuthorized, v1alpha1.ReasonSourceNotAllowed:
		return true
	}
	return false
}

// Candidate is a credential with the Secret that it points to.
type Candidate struct {
	Credential *v1alpha1.Credential
	// Home is the place of the credential's namespace.
	Home   Place
	Layout Layout
	// Secret is the source, nil if it does not exist.
	Secret *corev1.Secret
	// Owner is the oldest credential that is entitled to the same source, nil if there is
	// no other.
	Owner *v1alpha1.Credential
}

// Examine decides whether a Secret may be, and is fit to be, the source of a
// credential. The checks run in the order in which an administrator would mend
// what they find.
func Examine(c Candidate) (Facts, *Problem) {
	facts := Facts{KubernetesName: KubernetesName(c.Credential)}
	for _, check := range slices.Concat(entitling, []check{checkNotInUse, checkSecretType, checkContent}) {
		if problem := check(c, &facts); problem != nil {
			return Facts{KubernetesName: facts.KubernetesName}, problem
		}
	}
	return facts, nil
}

// check says what is wrong with a candidate, nil if nothing is.
type check func(Candidate, *Facts) *Problem

// entitling are the checks whether the credential may have the Secret at all.
var entitling = []check{checkKnown, checkPlace, checkExists, checkAllowed, checkAuthorized}

// Entitled says whether the credential may have the Secret, whatever is in it and
// whoever else refers to it. Who may not has no claim to it: else anybody who may
// create a Credential in a namespace could keep its Secrets from all others, by
// coming first.
func Entitled(c Candidate) bool {
	return !slices.ContainsFunc(entitling, func(check check) bool { return check(c, &Facts{}) != nil })
}

// checkKnown refuses what only a manifest that no API server has seen can hold.
func checkKnown(c Candidate, _ *Facts) *Problem {
	spec := &c.Credential.Spec
	if _, ok := DefinitionOf(spec.Type); !ok {
		return problem(v1alpha1.ReasonSourceInvalid, "type %q is unknown", spec.Type)
	}
	switch spec.Scope.Level {
	case v1alpha1.ScopeCluster, v1alpha1.ScopeDepartment, v1alpha1.ScopeProject:
		return nil
	}
	return problem(v1alpha1.ReasonSourceInvalid, "scope level %q is unknown", spec.Scope.Level)
}

func checkPlace(c Candidate, _ *Facts) *Problem {
	if namespace := c.Credential.Namespace; c.Layout.Excludes(namespace) {
		return problem(v1alpha1.ReasonSourceNotAllowed,
			"namespace %s never holds credentials, nor their sources; create both elsewhere", namespace)
	}
	return Misplaced("credential", c.Credential.Namespace, Extent{Scope: c.Credential.Spec.Scope, Home: c.Home}, c.Layout)
}

func checkExists(c Candidate, _ *Facts) *Problem {
	if c.Secret != nil {
		return nil
	}
	return problem(v1alpha1.ReasonSourceMissing, "Secret %s/%s does not exist; create it there, in the namespace of the Credential: no Secret of another namespace is read",
		c.Credential.Namespace, c.Credential.Spec.SecretRef.Name)
}

// checkAllowed refuses what is never a source: a right to create a Secret would
// otherwise be a right to any account's token, because Kubernetes fills a Secret
// of type service-account-token whatever labels it has.
func checkAllowed(c Candidate, _ *Facts) *Problem {
	switch c.Secret.Type {
	case corev1.SecretTypeServiceAccountToken, corev1.SecretTypeBootstrapToken, "helm.sh/release.v1":
		return problem(v1alpha1.ReasonSourceNotAllowed,
			"Secret %s has the type %s, which is never a source; use another Secret", sourceName(c), c.Secret.Type)
	}
	if c.Layout.Excludes(c.Secret.Namespace) {
		return problem(v1alpha1.ReasonSourceNotAllowed,
			"Secret %s is in a namespace that never holds sources", sourceName(c))
	}
	if _, isCopy := c.Secret.Labels[v1alpha1.LabelCopyOf]; isCopy {
		return problem(v1alpha1.ReasonSourceNotAllowed,
			"Secret %s is itself a copy (label %s); use another Secret", sourceName(c), v1alpha1.LabelCopyOf)
	}
	return nil
}

func checkAuthorized(c Candidate, _ *Facts) *Problem {
	labels := c.Secret.Labels
	if of, ok := labels[v1alpha1.LabelSourceOf]; ok {
		if of == c.Credential.Name {
			return nil
		}
		return problem(v1alpha1.ReasonSourceNotAuthorized,
			"Secret %s is labelled %s=%s: it was created for another credential", sourceName(c), v1alpha1.LabelSourceOf, of)
	}
	definition, _ := DefinitionOf(c.Credential.Spec.Type)
	if got := labels[v1alpha1.LabelSourceType]; got != definition.SourceLabel {
		with := v1alpha1.LabelSourceType + "=" + definition.SourceLabel
		if missing := missingScopeLabel(c); missing != "" {
			with += " and " + missing
		}
		return problem(v1alpha1.ReasonSourceNotAuthorized,
			"Secret %s %s; label it %s to authorize it for a credential of type %s",
			sourceName(c), hasLabel(v1alpha1.LabelSourceType, got), with, definition.Type)
	}
	return checkScopeLabel(c)
}

// checkScopeLabel holds the scope label of a source made in advance against the
// credential's scope, which it must equal or exceed.
func checkScopeLabel(c Candidate) *Problem {
	_, hasWide := c.Secret.Labels[v1alpha1.LabelSourceClusterWide]
	_, hasDepartment := c.Secret.Labels[v1alpha1.LabelSourceDepartment]
	if hasWide && hasDepartment {
		return problem(v1alpha1.ReasonSourceNotAuthorized,
			"Secret %s has both labels %s and %s; keep the one that is meant",
			sourceName(c), v1alpha1.LabelSourceClusterWide, v1alpha1.LabelSourceDepartment)
	}
	missing := missingScopeLabel(c)
	if missing == "" {
		return nil
	}
	whom := "the cluster"
	if scope := c.Credential.Spec.Scope; scope.Level == v1alpha1.ScopeDepartment {
		whom = "department " + scope.Department
	}
	return problem(v1alpha1.ReasonSourceNotAuthorized, "Secret %s is not authorized for %s; label it %s", sourceName(c), whom, missing)
}

// missingScopeLabel is the label that would authorize the source for the scope,
// empty if it is.
func missingScopeLabel(c Candidate) string {
	scope := c.Credential.Spec.Scope
	switch {
	case scope.Level == v1alpha1.ScopeProject, c.Secret.Labels[v1alpha1.LabelSourceClusterWide] == "true":
		return ""
	case scope.Level == v1alpha1.ScopeCluster:
		return v1alpha1.LabelSourceClusterWide + "=true"
	case c.Secret.Labels[v1alpha1.LabelSourceDepartment] == scope.Department && scope.Department != "":
		return ""
	}
	return v1alpha1.LabelSourceDepartment + "=" + scope.Department
}

func checkNotInUse(c Candidate, _ *Facts) *Problem {
	if c.Owner == nil {
		return nil
	}
	return problem(v1alpha1.ReasonSourceInUse,
		"Secret %s already is the source of credential %s; one source serves one credential: refer to another Secret, or delete that credential", sourceName(c), c.Owner.Name)
}

func checkSecretType(c Candidate, _ *Facts) *Problem {
	isDocker := c.Secret.Type == corev1.SecretTypeDockerConfigJson
	isLegacy := c.Secret.Type == corev1.SecretTypeDockercfg
	wantDocker := c.Credential.Spec.Type == v1alpha1.DockerRegistry
	switch {
	case wantDocker && isLegacy:
		return problem(v1alpha1.ReasonSourceInvalid,
			"Secret %s has the legacy type %s; make it again as %s", sourceName(c), c.Secret.Type, corev1.SecretTypeDockerConfigJson)
	case wantDocker && !isDocker:
		return problem(v1alpha1.ReasonSourceInvalid,
			"Secret %s has the type %s, and a credential of type %s needs %s; make it again with that type", sourceName(c), secretType(c.Secret), v1alpha1.DockerRegistry, corev1.SecretTypeDockerConfigJson)
	case !wantDocker && (isDocker || isLegacy):
		return problem(v1alpha1.ReasonSourceInvalid,
			"Secret %s has the type %s, which only fits a credential of type %s", sourceName(c), c.Secret.Type, v1alpha1.DockerRegistry)
	}
	return nil
}

func checkContent(c Candidate, facts *Facts) *Problem {
	definition, _ := DefinitionOf(c.Credential.Spec.Type)
	dataKeys := slices.Collect(maps.Keys(c.Secret.Data))
	for key := range c.Secret.StringData { // only in manifests read from a file
		if _, ok := c.Secret.Data[key]; !ok {
			dataKeys = append(dataKeys, key)
		}
	}
	keys, err := definition.Keys(dataKeys)
	if err != nil {
		return problem(v1alpha1.ReasonSourceInvalid, "Secret %s %w", sourceName(c), err)
	}
	if err := definition.checkValues(c.Secret, keys); err != nil {
		return problem(v1alpha1.ReasonSourceInvalid, "Secret %s %w", sourceName(c), err)
	}
	facts.Keys = keys
	if !definition.Registries {
		return nil
	}
	config := c.Secret.Data[corev1.DockerConfigJsonKey]
	if text, ok := c.Secret.StringData[corev1.DockerConfigJsonKey]; ok {
		config = []byte(text)
	}
	registries, err := Registries(config)
	if err != nil {
		return problem(v1alpha1.ReasonSourceInvalid, "key %s of Secret %s %w", corev1.DockerConfigJsonKey, sourceName(c), err)
	}
	facts.Registries = registries
	return nil
}

func problem(reason, format string, args ...any) *Problem {
	return &Problem{Reason: reason, Message: fmt.Errorf(format, args...).Error()}
}

func sourceName(c Candidate) string { return c.Secret.Namespace + "/" + c.Secret.Name }

func hasLabel(key, value string) string {
	if value == "" {
		return "has no label " + key
	}
	return fmt.Sprintf("is labelled %s=%s", key, value)
}

func secretType(secret *corev1.Secret) corev1.SecretType {
	if secret.Type == "" {
		return corev1.SecretTypeOpaque
	}
	return secret.Type
}
