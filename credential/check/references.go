// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/credential/spelling"
)

func item(list string, n int) string { return fmt.Sprintf("%s[%d]", list, n) }

// credential returns the credential that a name means, nil if it cannot be used. One
// of the wrong type is told before one that is not ready: that cannot be waited for.
func (i *inspection) credential(field, name string, typed func(*catalog.Entry) string) *catalog.Entry {
	entry, ok := i.known.Lookup(i.from, name)
	if !ok {
		i.missing(field, asset.Credential, name, i.known.Visible(i.from))
		return nil
	}
	if problem := typed(entry); problem != "" {
		i.add(Fault{Reason: v1alpha1.ReasonReferenceInvalid, Field: field, Problem: problem, Of: []*catalog.Entry{entry}})
		return nil
	}
	switch {
	case entry.DeletedAt != nil:
		i.notReady(field, "credential %q is being deleted", name)
	case entry.Definition.Delivery == "":
		i.notReady(field, "credential %q has a type that this version of Credence does not know: %s", name, entry.Definition.Type)
	case entry.Behind:
		i.notReady(field, "credential %q is still being prepared", name)
	case entry.SourceMissing && !entry.KeysKnown:
		i.notReady(field, "credential %q is still being prepared: its Secret does not exist yet", name)
	case entry.Problem != "":
		i.notReady(field, "credential %q cannot be used: %s", name, entry.Unusable())
	default:
		return entry
	}
	return nil
}

// anyType is for references that take a credential of whatever type.
func anyType(*catalog.Entry) string { return "" }

// ofType is for a reference that takes one type, because of what needs it.
func ofType(want v1alpha1.CredentialType, because string) func(*catalog.Entry) string {
	return func(entry *catalog.Entry) string {
		if entry.Definition.Type == want {
			return ""
		}
		return fmt.Sprintf("credential %q has type %s; %s takes one of type %s", entry.Name, entry.Definition.Type, because, want)
	}
}

// missing tells of a name that means nothing inside the asset. What covers a part of
// its extent may be named: whoever writes for the whole sees the parts. Whoever only
// refers to it does not.
func (i *inspection) missing(field string, kind asset.Kind, name string, visible []string) {
	problem := fmt.Sprintf("there is no %s %q %s%s", kind.Word(), name, i.where(), spelling.Hint(name, visible))
	if part, ok := i.known.Narrower(kind, i.extent, name); ok && i.outer == nil {
		of := "of namespace " + part.Namespace
		if part.Scope.Level == v1alpha1.ScopeDepartment {
			of = "of department " + part.Scope.Department
		}
		problem = fmt.Sprintf("%s %q %s does not cover all of the asset's scope, which is %s", kind.Word(), name, of, i.scope())
	}
	i.add(Fault{Reason: v1alpha1.ReasonReferenceNotFound, Field: field, Problem: problem, Waits: true})
}

// where says from where a name means nothing.
func (i *inspection) where() string {
	if i.extent.Scope.Level == v1alpha1.ScopeProject {
		return "in namespace " + i.extent.Home.Namespace
	}
	return "for the whole of " + i.scope()
}

func (i *inspection) scope() string {
	if i.extent.Scope.Level == v1alpha1.ScopeDepartment {
		return "department " + i.extent.Scope.Department
	}
	return "the cluster"
}

func (i *inspection) notReady(field, format string, args ...any) {
	i.add(Fault{Reason: v1alpha1.ReasonReferenceNotReady, Field: field, Problem: fmt.Sprintf(format, args...), Waits: true})
}

// lacks tells of a key that a credential does not have: its Secret may get it.
func (i *inspection) lacks(field, problem string) {
	i.add(Fault{Reason: v1alpha1.ReasonReferenceInvalid, Field: field, Problem: problem, Waits: true})
}

// source looks at what a data source is fetched with, and where it is put.
func (i *inspection) source(spec *v1alpha1.DataSourceSpec) {
	switch {
	case spec.Git != nil:
		i.git(spec.Git)
		i.wantPath("spec.git.path", string(spec.Git.Path), want{what: "the repository", source: spec.Git})
	case spec.S3 != nil:
		if spec.S3.Credential != "" {
			i.credential("spec.s3.credential", string(spec.S3.Credential), ofType(v1alpha1.AccessKey, "a bucket"))
		}
		i.wantPath("spec.s3.path", string(spec.S3.Path), want{what: "the bucket", source: spec.S3})
	case spec.Secret != nil:
		i.mount("spec.secret", spec.Secret)
	}
}

func (i *inspection) git(git *v1alpha1.GitSource) {
	if git.Credential == "" {
		return
	}
	const field = "spec.git.credential"
	needs, because := asset.GitNeeds(git.Repository), "a repository at https://"
	if needs == v1alpha1.SSHKey {
		because = "a repository that is reached by SSH"
	}
	entry := i.credential(field, string(git.Credential), ofType(needs, because))
	if entry == nil || needs != v1alpha1.SSHKey || git.SkipHostKeyCheck || !entry.KeysKnown {
		return
	}
	if _, ok := credential.FindKey(entry.Keys, credential.RoleKnownHosts); !ok {
		i.lacks(field, fmt.Sprintf("credential %q has no key known_hosts, which the host is known by; add it to its Secret, or set skipHostKeyCheck", entry.Name))
	}
}
