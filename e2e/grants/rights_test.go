// SPDX-License-Identifier: Apache-2.0

package grants

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/e2e/local"
)

// right is a verb on a resource. Without a namespace it is on those of all, without
// a name on all objects. A resource is called as in RBAC, such as
// "credentials/status".
type right struct {
	namespace, group, resource, name, verb string
}

func (r right) String() string {
	text := fmt.Sprintf("%s %s.%s", r.verb, r.resource, r.group)
	if r.name != "" {
		text += "/" + r.name
	}
	if r.namespace != "" {
		text += " in " + r.namespace
	}
	return text
}

// allows says whether a right is enough for a request, which is written as one.
func (r right) allows(request right) bool {
	return r.group == request.group && r.resource == request.resource && r.verb == request.verb &&
		(r.namespace == "" || r.namespace == request.namespace) && (r.name == "" || r.name == request.name)
}

// width orders rights that allow the same: a narrow one makes a wide one needless.
func (r right) width() int {
	width := 0
	if r.namespace == "" {
		width++
	}
	if r.name == "" {
		width += 2
	}
	return width
}

// narrowest returns that of some rights which a request needs.
func narrowest(rights []right, request right) (right, bool) {
	allowing := slices.DeleteFunc(slices.Clone(rights), func(r right) bool { return !r.allows(request) })
	if len(allowing) == 0 {
		return right{}, false
	}
	return slices.MinFunc(allowing, func(a, b right) int { return cmp.Compare(a.width(), b.width()) }), true
}

// granted returns the rights of the roles that the chart gives a service account,
// which are called as it is. That it has no others is tested with the chart.
func granted(t *testing.T, account string) []right {
	t.Helper()
	wide, narrow := &rbacv1.ClusterRole{}, &rbacv1.Role{}
	ctx, c := t.Context(), cluster.Client()
	if err := c.Get(ctx, client.ObjectKey{Name: account}, wide); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(ctx, client.ObjectKey{Namespace: local.InstallNamespace, Name: account}, narrow); err != nil {
		t.Fatal(err)
	}
	return slices.Concat(rightsIn("", wide.Rules), rightsIn(local.InstallNamespace, narrow.Rules))
}

func rightsIn(namespace string, rules []rbacv1.PolicyRule) []right {
	var all []right
	for _, rule := range rules {
		names := rule.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, name := range names {
					for _, verb := range rule.Verbs {
						all = append(all, right{namespace, group, resource, name, verb})
					}
				}
			}
		}
	}
	return all
}

// unused are the rights that nothing has needed yet, but for those that a story
// cannot bring about.
func unused(rights []right, needed map[right]bool, unneeded map[right]string) []right {
	return slices.DeleteFunc(slices.Clone(rights), func(r right) bool {
		_, excused := unneeded[r]
		return needed[r] || excused
	})
}

// until polls until attempt gives no error.
func until(t *testing.T, what string, attempt func(context.Context) error) bool {
	t.Helper()
	var last error
	err := local.Poll(t.Context(), what, func(context.Context) (bool, error) {
		last = attempt(t.Context()) // not ctx, whose end would be the last that is told
		return last == nil, nil
	})
	if err != nil {
		t.Errorf("%v: %v", err, last)
	}
	return err == nil
}
