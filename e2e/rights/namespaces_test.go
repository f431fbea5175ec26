// SPDX-License-Identifier: Apache-2.0

package rights

import (
	"context"
	"fmt"
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// keys are the keys of the labels that projects and departments are made with.
type keys struct{ project, id, department, home string }

var (
	defaultKeys = keys{"credence.dev/project", "credence.dev/project-id", "credence.dev/department", "credence.dev/department-home"}
	otherKeys   = keys{"runai/queue", "credence.dev/project-id", "runai/department", "credence.dev/department-home"}
)

// labels is what a namespace has: project, its id, department and home.
type labels struct{ project, id, department, home string }

func (k keys) of(l labels) map[string]string {
	all := map[string]string{"example.com/cost-centre": "7"}
	for key, value := range map[string]string{k.project: l.project, k.id: l.id, k.department: l.department, k.home: l.home} {
		switch value {
		case "":
		case empty:
			all[key] = ""
		default:
			all[key] = value
		}
	}
	return all
}

// empty is a label that is there and has no value.
const empty = "<empty>"

// labelling is a change of a namespace's labels.
type labelling struct {
	from, to labels
	needs    []right
}

var creations = map[string]labelling{
	"an ordinary namespace":    {to: labels{}},
	"a project":                {to: labels{project: "a"}, needs: []right{"join projects/a"}},
	"a project with an id":     {to: labels{project: "a", id: "7"}, needs: []right{"join projects/a"}},
	"an id without a project":  {to: labels{id: "7"}, needs: []right{"join projects"}},
	"in a department":          {to: labels{department: "research"}, needs: []right{"join departments/research"}},
	"a home":                   {to: labels{home: "research"}, needs: []right{"join departments/research"}},
	"a project, department":    {to: labels{project: "a", department: "research"}, needs: []right{"join projects/a", "join departments/research"}},
	"a home, other department": {to: labels{home: "research", department: "sales"}, needs: []right{"join departments/research", "join departments/sales"}},
	"all of them": {
		to:    labels{project: "b", id: "7", department: "research", home: "sales"},
		needs: []right{"join projects/b", "join departments/research", "join departments/sales"},
	},
	"empty values": {to: labels{project: empty, id: empty, department: empty, home: empty}},
}

var changes = map[string]labelling{
	"nothing of ours": {
		from: labels{project: "a", id: "7", department: "research"}, to: labels{project: "a", id: "7", department: "research"},
	},

	"project set":             {to: labels{project: "a"}, needs: []right{"join projects/a"}},
	"project changed":         {from: labels{project: "a"}, to: labels{project: "b"}, needs: []right{"join projects/a", "join projects/b"}},
	"project removed":         {from: labels{project: "a"}, needs: []right{"join projects/a"}},
	"project emptied":         {from: labels{project: "a"}, to: labels{project: empty}, needs: []right{"join projects/a"}},
	"project filled":          {from: labels{project: empty}, to: labels{project: "a"}, needs: []right{"join projects/a"}},
	"project of a department": {from: labels{department: "research"}, to: labels{department: "research", project: "a"}, needs: []right{"join projects/a"}},

	"id set":                      {from: labels{project: "a"}, to: labels{project: "a", id: "7"}, needs: []right{"join projects/a"}},
	"id changed":                  {from: labels{project: "a", id: "7"}, to: labels{project: "a", id: "8"}, needs: []right{"join projects/a"}},
	"id removed":                  {from: labels{project: "a", id: "7"}, to: labels{project: "a"}, needs: []right{"join projects/a"}},
	"id set without a project":    {to: labels{id: "7"}, needs: []right{"join projects"}},
	"id remains, project removed": {from: labels{project: "a", id: "7"}, to: labels{id: "7"}, needs: []right{"join projects/a"}},
	"id and project changed": {
		from: labels{project: "a", id: "7"}, to: labels{project: "b", id: "8"}, needs: []right{"join projects/a", "join projects/b"},
	},

	"department set": {from: labels{project: "a"}, to: labels{project: "a", department: "research"}, needs: []right{"join departments/research"}},
	"department changed": {
		from: labels{department: "research"}, to: labels{department: "sales"}, needs: []right{"join departments/research", "join departments/sales"},
	},
	"department removed": {from: labels{project: "a", department: "research"}, to: labels{project: "a"}, needs: []right{"join departments/research"}},

	"home set": {to: labels{home: "research"}, needs: []right{"join departments/research"}},
	"home changed": {
		from: labels{home: "research"}, to: labels{home: "sales"}, needs: []right{"join departments/research", "join departments/sales"},
	},
	"home removed": {from: labels{home: "research"}, needs: []right{"join departments/research"}},
	"home to department": {
		from: labels{home: "research"}, to: labels{department: "research"}, needs: []right{"join departments/research"},
	},
}

// labelsHold tries every creation and change of labels. Namespaces are made with
// prefix, for none of those before are deleted.
func labelsHold(t *testing.T, keys keys, prefix string) {
	operations := map[string]operation{}
	for name, l := range creations {
		operations["creating "+name] = operation{l.needs, func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, namespace(prefix+"new", keys.of(l.to)), client.DryRunAll)
		}}
	}
	count := 0
	for name, l := range changes {
		count++
		key := fmt.Sprintf("%s%d", prefix, count)
		create(t, namespace(key, keys.of(l.from)))
		operations[name] = operation{l.needs, relabel(key, keys.of(l.to), "")}
	}
	create(t, namespace(prefix+"ways", keys.of(labels{project: "a"})))
	create(t, namespace(prefix+"leaving", keys.of(labels{project: "a"}), "example.com/hold"))
	leave(t, prefix+"leaving")
	to, both := keys.of(labels{project: "b"}), []right{"join projects/a", "join projects/b"}
	for name, operation := range map[string]operation{
		"through the status":               {both, relabel(prefix+"ways", to, "status")},
		"through finalize":                 {both, relabel(prefix+"ways", to, "finalize")},
		"by a patch":                       {both, patch(prefix+"ways", fmt.Sprintf(`{"metadata": {"labels": {%q: "b"}}}`, keys.project))},
		"by applying":                      {both, apply(prefix+"ways", to)},
		"of a namespace that is leaving":   {both, relabel(prefix+"leaving", to, "")},
		"leaving, through finalize":        {both, relabel(prefix+"leaving", to, "finalize")},
		"an annotation, through the patch": {nil, patch(prefix+"ways", `{"metadata": {"annotations": {"a": "b"}}}`)},
		"finalizers of what is leaving":    {nil, relabel(prefix+"leaving", keys.of(labels{project: "a"}), "finalize")},
		"the status of what is leaving":    {nil, relabel(prefix+"leaving", keys.of(labels{project: "a"}), "status")},
		"deleting a project": {nil, func(ctx context.Context, c client.Client) error {
			return c.Delete(ctx, namespace(prefix+"ways", nil), client.DryRunAll)
		}},
	} {
		operations[name] = operation
	}
	hold(t, operations)
}

func namespace(name string, labels map[string]string, finalizers ...string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Finalizers: finalizers}}
}

// relabel updates a namespace, also in what is nobody's business, through a
// subresource if one is given.
func relabel(name string, to map[string]string, subresource string) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		current := &corev1.Namespace{}
		if err := admin.Get(ctx, client.ObjectKey{Name: name}, current); err != nil {
			return err
		}
		current.Labels = maps.Clone(to)
		current.Labels["example.com/cost-centre"] = "8"
		current.Labels[corev1.LabelMetadataName] = name
		current.Annotations = map[string]string{"example.com/changed": "true"}
		switch subresource {
		case "":
			return c.Update(ctx, current, client.DryRunAll)
		case "finalize":
			current.Spec.Finalizers = nil // the last step of deleting a namespace
		}
		return c.SubResource(subresource).Update(ctx, current, &client.SubResourceUpdateOptions{
			UpdateOptions: client.UpdateOptions{DryRun: []string{metav1.DryRunAll}},
		})
	}
}

func patch(name, patch string) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		return c.Patch(ctx, namespace(name, nil), client.RawPatch(types.StrategicMergePatchType, []byte(patch)), client.DryRunAll)
	}
}

func apply(name string, labels map[string]string) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		applied := namespace(name, labels)
		applied.APIVersion, applied.Kind = "v1", "Namespace"
		//nolint:staticcheck // The deprecated way takes the typed object.
		return c.Patch(ctx, applied, client.Apply, client.FieldOwner("jane"), client.ForceOwnership, client.DryRunAll)
	}
}

// create makes objects as the administrator.
func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// leave deletes a namespace that a finalizer holds.
func leave(t *testing.T, name string) {
	t.Helper()
	if err := admin.Delete(t.Context(), namespace(name, nil)); err != nil {
		t.Fatal(err)
	}
}
