// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/words"
	"github.com/credence-dev/credence/usage"
)

// leavers knows the namespaces that left a Credential's scope while pods there have
// it injected, or refer to its Secret. Those pods cannot be replaced: the annotation
// means nothing any more, and the Secret is gone.
//
// Only a namespace that had a copy can be one of them, for anybody can make pods
// that look injected. So it remembers where copies were; what was told of is in the
// status, and outlasts the process.
type leavers struct {
	lookup.Cluster
	users *users.Counter

	mu    sync.Mutex
	had   map[types.UID]sets.Set[string]
	count int
}

// maxRemembered bounds how many namespaces are remembered, those of all Credentials
// together.
const maxRemembered = 10000

// remember takes note of the namespaces beyond the scope that have a copy, and
// returns all that ever had one.
func (l *leavers) remember(c *v1alpha1.Credential, existing []copies.Copy) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	had := l.had[c.UID]
	for _, one := range existing {
		if had.Has(one.Namespace) || !l.isBeyond(c, one.Namespace) {
			continue
		}
		if l.count == maxRemembered || l.had == nil {
			l.had, l.count = map[types.UID]sets.Set[string]{}, 0
			had = nil
		}
		if had == nil {
			had = sets.New[string]()
			l.had[c.UID] = had
		}
		had.Insert(one.Namespace)
		l.count++
	}
	names := had.UnsortedList()
	for _, issue := range saidToLeave(c) {
		if !had.Has(issue.Namespace) {
			names = append(names, issue.Namespace)
		}
	}
	return names
}

func (l *leavers) forget(c *v1alpha1.Credential, namespace string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.had[c.UID].Has(namespace) {
		l.had[c.UID].Delete(namespace)
		l.count--
	}
}

func (l *leavers) isBeyond(c *v1alpha1.Credential, namespace string) bool {
	_, beyond := l.users.Catalog.Beyond(c.Spec.Scope, c.Namespace, namespace)
	return beyond
}

// saidToLeave are the issues of a status that are about namespaces that left.
func saidToLeave(c *v1alpha1.Credential) (said []v1alpha1.NamespaceIssue) {
	for _, issue := range c.Status.Issues {
		if issue.Reason == v1alpha1.IssueLeftScope {
			said = append(said, issue)
		}
	}
	return said
}

// find returns an issue for each such namespace, from those that have a copy, had
// one, or are told of. While it is not known who uses what, what is told stays.
func (l *leavers) find(ctx context.Context, c *v1alpha1.Credential, existing []copies.Copy) ([]v1alpha1.NamespaceIssue, error) {
	namespaces := l.remember(c, existing)
	if !l.users.Index.Synced() {
		return slices.DeleteFunc(saidToLeave(c), func(issue v1alpha1.NamespaceIssue) bool {
			return !l.isBeyond(c, issue.Namespace)
		}), nil
	}
	return l.among(ctx, c, namespaces)
}

// among looks for such namespaces among some, and says what is the matter there.
func (l *leavers) among(ctx context.Context, c *v1alpha1.Credential, namespaces []string) (issues []v1alpha1.NamespaceIssue, err error) {
	var left []string
	for _, namespace := range namespaces {
		place, beyond := l.users.Catalog.Beyond(c.Spec.Scope, c.Namespace, namespace)
		if !beyond {
			continue
		}
		if _, means := l.users.Catalog.Lookup(place, c.Name); means {
			l.forget(c, namespace) // it is another's now
		} else {
			left = append(left, namespace)
		}
	}
	slices.Sort(left)
	all, err := l.stillRefer(ctx, c, left)
	if err != nil {
		return nil, err
	}
	for _, namespace := range left {
		if all[namespace] == nil {
			continue
		}
		if ending, err := l.IsTerminating(ctx, namespace); err != nil {
			return nil, err
		} else if !ending {
			issues = append(issues, v1alpha1.NamespaceIssue{Namespace: namespace, Reason: v1alpha1.IssueLeftScope,
				Message: l.left(c.Spec.Scope, namespace, all[namespace])})
		}
	}
	return issues, nil
}

// stillRefer returns by namespace who refers to a Credential that has no copy there
// any more: by annotation, and injected, or by the name of the Secret, unless somebody
// has made another of that name.
func (l *leavers) stillRefer(ctx context.Context, c *v1alpha1.Credential, namespaces []string) (map[string][]usage.User, error) {
	all := map[string][]usage.User{}
	for _, user := range l.users.Index.Injected(l.users.AskBeyond(c, namespaces...)...) {
		all[user.Namespace] = append(all[user.Namespace], user)
	}
	secret := types.NamespacedName{Name: credential.KubernetesName(c)}
	direct := l.users.Index.Users(usage.Query{Secret: secret.Name, Namespaces: namespaces})
	others := map[string]bool{}
	for _, user := range slices.Concat(direct.Workloads, direct.Automatic) {
		other, known := others[user.Namespace]
		if !known {
			secret.Namespace = user.Namespace
			found, err := l.HasOther(ctx, secret, c.UID)
			if err != nil {
				return nil, err
			}
			other = found
			others[user.Namespace] = other
		}
		if !other && !slices.Contains(all[user.Namespace], user) {
			all[user.Namespace] = append(all[user.Namespace], user)
		}
	}
	return all, nil
}

// left says what is the matter in a namespace, and how to mend it.
func (l *leavers) left(scope v1alpha1.Scope, namespace string, by []usage.User) string {
	who := words.Plural(len(by), "workload")
	if len(by) == 1 {
		who += " there still refers to it, "
	} else {
		who += " there still refer to it, such as "
	}
	place, _ := l.users.Catalog.Place(namespace)
	layout := l.users.Catalog.Layout()
	var labels []string
	if !place.IsProject() {
		labels = append(labels, layout.ProjectLabel+"=<name>")
	}
	if scope.Level == v1alpha1.ScopeDepartment {
		labels = append(labels, layout.DepartmentLabel+"="+scope.Department)
	}
	mend := fmt.Sprintf("label the namespace %s again", strings.Join(labels, " and "))
	if place.Home != "" {
		mend = fmt.Sprintf("take the label %s off the namespace, for a department's home is no project", v1alpha1.LabelDepartmentHome)
	}
	return words.Cut(who+by[0].String()+", and its copy is withdrawn: "+mend+", or take it off the workload", maxIssue)
}

// maxIssue is the longest message that an issue may have.
const maxIssue = 512

// concerned are the Credentials of which a change of the usage makes the status
// wrong: pods in a namespace beyond the scope have them, or none do any more. What an
// asset's name meant there may not be what it means now.
func (l *leavers) concerned(ctx context.Context, change usage.Change) (requests []ctrl.Request) {
	names := change.Credentials
	for _, named := range change.Assets {
		names = slices.Concat(names, l.users.GivenBy(asset.Kind(named.Kind), named.Name).UnsortedList())
	}
	fields := make([]client.MatchingFields, 0, len(names)+len(change.Secrets))
	for _, name := range names {
		fields = append(fields, client.MatchingFields{lookup.IndexName: name})
	}
	for _, secret := range change.Secrets {
		fields = append(fields, client.MatchingFields{users.IndexSecret: secret})
	}
	for _, field := range fields {
		list, err := l.Credentials(ctx, field)
		if err != nil {
			log.FromContext(ctx).Error(err, "Could not find out whom a change of the usage concerns")
			return nil
		}
		for i := range list {
			if l.isNews(ctx, &list[i], change.Namespace) {
				requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&list[i])})
			}
		}
	}
	return requests
}

// isNews says whether a status tells something else of a namespace than is so now,
// or of any if none is named. What a full status leaves out is no news.
func (l *leavers) isNews(ctx context.Context, c *v1alpha1.Credential, namespace string) bool {
	if c.Spec.Scope.Level == v1alpha1.ScopeProject || !c.DeletionTimestamp.IsZero() {
		return false
	}
	namespaces, said := l.remember(c, nil), saidToLeave(c)
	if namespace != "" {
		namespaces = slices.DeleteFunc(namespaces, func(n string) bool { return n != namespace })
		said = slices.DeleteFunc(said, func(issue v1alpha1.NamespaceIssue) bool { return issue.Namespace != namespace })
	}
	now, err := l.among(ctx, c, namespaces)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not find out who was left behind")
		return false
	}
	full := int(c.Status.IssuesTotal) > len(c.Status.Issues)
	return !slices.Equal(said, now) && (len(said) > 0 || !full)
}
