// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// Where the department's key is, and what its copies are called.
var (
	sourceOfKey = types.NamespacedName{Namespace: "credence-credentials", Name: "openai-key"}
	copyOfKey   = "genericsecret-openai"
)

// showRotation changes a source and waits until every copy has followed.
func (d *Demo) showRotation(ctx context.Context) error {
	before, err := d.fingerprints(ctx)
	if err != nil {
		return err
	}
	d.say("\nThe values of credential openai change")
	source := &corev1.Secret{}
	if err := d.Client().Get(ctx, sourceOfKey, source); err != nil {
		return err
	}
	source.StringData = map[string]string{"api-key": "not-a-secret-either"}
	if err := d.Client().Update(ctx, source, client.FieldOwner(fieldManager)); err != nil {
		return fmt.Errorf("changing the source: %w", err)
	}
	var after map[string]string
	err = local.Poll(ctx, "the copies to follow", func(ctx context.Context) (bool, error) {
		if after, err = d.fingerprints(ctx); err != nil {
			return false, err
		}
		for namespace, old := range before {
			if after[namespace] == old {
				return false, nil
			}
		}
		return len(after) == len(before), nil
	})
	if err != nil {
		return err
	}
	for _, namespace := range slices.Sorted(maps.Keys(after)) {
		d.say("    %s: fingerprint %s… is now %s…", namespace, short(before[namespace]), short(after[namespace]))
	}
	return nil
}

// short is the beginning of what a fingerprint says of the values.
func short(fingerprint string) string {
	_, digest, _ := strings.Cut(fingerprint, ":")
	return digest[:min(8, len(digest))]
}

// fingerprints are those of the copies, by namespace.
func (d *Demo) fingerprints(ctx context.Context) (map[string]string, error) {
	copies := &corev1.SecretList{}
	if err := d.Client().List(ctx, copies, client.MatchingLabels{v1alpha1.LabelCopyOf: "openai"}); err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, secret := range copies.Items {
		found[secret.Namespace] = secret.Annotations[v1alpha1.AnnotationFingerprint]
	}
	return found, nil
}

// showJoining has a project join a department, use its credential, and leave.
func (d *Demo) showJoining(ctx context.Context) error {
	d.say("\nteam-c joins the department research")
	if err := d.join(ctx, "team-c", "research"); err != nil {
		return err
	}
	err := local.Poll(ctx, "the copy in team-c", func(ctx context.Context) (bool, error) {
		return d.hasCopy(ctx, "team-c")
	})
	if err != nil {
		return err
	}
	d.say("    gets  Secret %s", copyOfKey)
	list, err := read("4-refused.yaml")
	if err != nil {
		return err
	}
	pod := list[slices.IndexFunc(list, func(o *unstructured.Unstructured) bool { return o.GetName() == "curious" })]
	if err := d.Client().Create(ctx, pod); err != nil {
		return fmt.Errorf("pod curious, now of the department: %w", err)
	}
	d.say("    Pod curious, refused before, is admitted")

	d.say("team-c goes back to sales")
	if err := d.Client().Delete(ctx, pod, client.GracePeriodSeconds(0)); err != nil {
		return fmt.Errorf("deleting pod curious: %w", err)
	}
	if err := d.join(ctx, "team-c", "sales"); err != nil {
		return err
	}
	err = local.Poll(ctx, "the copy in team-c to go", func(ctx context.Context) (bool, error) {
		there, err := d.hasCopy(ctx, "team-c")
		return !there, err
	})
	if err != nil {
		return err
	}
	d.say("    loses Secret %s", copyOfKey)
	return nil
}

// join puts a project into a department.
func (d *Demo) join(ctx context.Context, namespace, department string) error {
	project := &corev1.Namespace{}
	project.Name = namespace
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, v1alpha1.LabelDepartment, department)
	if err := d.Client().Patch(ctx, project, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(fieldManager)); err != nil {
		return fmt.Errorf("labelling namespace %s: %w", namespace, err)
	}
	return nil
}

func (d *Demo) hasCopy(ctx context.Context, namespace string) (bool, error) {
	err := d.Client().Get(ctx, types.NamespacedName{Namespace: namespace, Name: copyOfKey}, &corev1.Secret{})
	return err == nil, client.IgnoreNotFound(err)
}
