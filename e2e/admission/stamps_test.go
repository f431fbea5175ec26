// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/e2e/local"
)

// person is a user who may do anything, and notes what the API server warns about.
type person struct {
	client.Client
	mu    sync.Mutex
	noted []string
}

func as(t *testing.T, user string) *person {
	t.Helper()
	config, err := cluster.Plane().ConfigFor(user, "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	p := &person{}
	config.WarningHandler = p
	if p.Client, err = client.New(config, client.Options{Scheme: local.Scheme()}); err != nil {
		t.Fatal(err)
	}
	return p
}

// HandleWarningHeader notes a warning.
func (p *person) HandleWarningHeader(_ int, _, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noted = append(p.noted, text)
}

// warnings are those since it was called last.
func (p *person) warnings() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	noted := p.noted
	p.noted = nil
	return noted
}

var ignored = map[string]string{
	v1alpha1.AnnotationCreatedBy: "annotation credence.dev/created-by is written by Credence alone; the value that was given is ignored",
	v1alpha1.AnnotationUpdatedBy: "annotation credence.dev/updated-by is written by Credence alone; the value that was given is ignored",
}

func forged(c *v1alpha1.Credential) *v1alpha1.Credential {
	c.Annotations = map[string]string{v1alpha1.AnnotationCreatedBy: "mallory", v1alpha1.AnnotationUpdatedBy: "mallory"}
	return c
}

// Nobody is on record but who did it, however they write: jane creates every
// Credential, joe changes it.
func TestStamps(t *testing.T) {
	project(t, "stamps")
	jane, joe := as(t, "jane"), as(t, "joe")
	merge := func(text string) func(*v1alpha1.Credential) error {
		return func(c *v1alpha1.Credential) error {
			return joe.Patch(t.Context(), c, client.RawPatch(types.MergePatchType, []byte(text)))
		}
	}
	apply := func(text string, owner string) func(*v1alpha1.Credential) error {
		return func(c *v1alpha1.Credential) error {
			document := fmt.Appendf(nil, `{"apiVersion":"credence.dev/v1alpha1","kind":"Credential","metadata":{"name":%q%s}}`, c.Name, text)
			return joe.Patch(t.Context(), c, client.RawPatch(types.ApplyPatchType, document), client.FieldOwner(owner), client.ForceOwnership)
		}
	}
	const mallory = `"annotations":{"credence.dev/created-by":"mallory","credence.dev/updated-by":"mallory"}`
	both := []string{ignored[v1alpha1.AnnotationCreatedBy], ignored[v1alpha1.AnnotationUpdatedBy]}
	cases := map[string]struct {
		change    func(*v1alpha1.Credential) error
		updatedBy string
		warnings  []string
	}{
		"update": {func(c *v1alpha1.Credential) error {
			c.Spec.Description = "changed"
			return joe.Update(t.Context(), c)
		}, "joe", nil},
		"update, forged": {func(c *v1alpha1.Credential) error {
			return joe.Update(t.Context(), forged(c))
		}, "jane", both},
		"update with a change, forged": {func(c *v1alpha1.Credential) error {
			c.Spec.Description = "changed"
			return joe.Update(t.Context(), forged(c))
		}, "joe", both},
		"replace without annotations": {func(c *v1alpha1.Credential) error {
			c.Annotations = nil
			return joe.Update(t.Context(), c)
		}, "jane", nil},
		"the same again":         {merge(`{"spec":{"type":"generic"}}`), "jane", nil},
		"label":                  {merge(`{"metadata":{"labels":{"a":"b"}}}`), "jane", nil},
		"merge patch":            {merge(`{"spec":{"description":"changed"}}`), "joe", nil},
		"annotate":               {merge(`{"metadata":{` + mallory + `}}`), "jane", both},
		"annotate away":          {merge(`{"metadata":{"annotations":{"credence.dev/created-by":null,"credence.dev/updated-by":null}}}`), "jane", nil},
		"annotations away":       {merge(`{"metadata":{"annotations":null}}`), "jane", nil},
		"kubectl apply":          {merge(`{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}"}},"spec":{"description":"changed"}}`), "joe", nil},
		"apply":                  {apply(`},"spec":{"description":"changed"`, "kubectl"), "joe", nil},
		"apply, forged":          {apply(`,`+mallory, "kubectl"), "jane", both},
		"apply a change, forged": {apply(`,`+mallory+`},"spec":{"description":"changed"`, "kubectl"), "joe", both},
		"apply, forged and then not": {func(c *v1alpha1.Credential) error {
			if err := apply(`,`+mallory, "kubectl")(c); err != nil {
				return err
			}
			return apply("", "kubectl")(c)
		}, "jane", both},
		"json patch": {func(c *v1alpha1.Credential) error {
			text := `[{"op":"replace","path":"/metadata/annotations","value":{"credence.dev/created-by":"mallory"}},{"op":"add","path":"/spec/description","value":"changed"}]`
			return joe.Patch(t.Context(), c, client.RawPatch(types.JSONPatchType, []byte(text)))
		}, "joe", both[:1]},
		"status": {func(c *v1alpha1.Credential) error {
			c.Status.State = v1alpha1.StateIssuesFound
			return joe.Status().Update(t.Context(), forged(c))
		}, "jane", nil},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := forged(genericCredential("stamps", "key"))
			c.Name, c.GenerateName = "", "c-"
			if err := jane.Create(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			wantStamps(t, c, "jane")
			if diff := cmp.Diff(both, jane.warnings()); diff != "" {
				t.Errorf("warnings at the creation (-want +got):\n%s", diff)
			}
			err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { // the controller writes, too
				if err := jane.Get(t.Context(), client.ObjectKeyFromObject(c), c); err != nil {
					return err
				}
				joe.warnings()
				return test.change(c)
			})
			if err != nil {
				t.Fatal(err)
			}
			wantStamps(t, c, test.updatedBy)
			if diff := cmp.Diff(test.warnings, joe.warnings()); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			stored := &v1alpha1.Credential{}
			if err := jane.Get(t.Context(), client.ObjectKeyFromObject(c), stored); err != nil {
				t.Fatal(err)
			}
			wantStamps(t, stored, test.updatedBy)
		})
	}
}

// wantStamps wants jane on record as the author, and somebody as the last who changed
// it.
func wantStamps(t *testing.T, c *v1alpha1.Credential, updatedBy string) {
	t.Helper()
	got := []string{c.Annotations[v1alpha1.AnnotationCreatedBy], c.Annotations[v1alpha1.AnnotationUpdatedBy]}
	if diff := cmp.Diff([]string{"jane", updatedBy}, got); diff != "" {
		t.Errorf("%s: created and updated by (-want +got):\n%s", c.Name, diff)
	}
}

// What is created by server-side apply keeps its stamps when it is applied again
// without them, by the same field manager.
func TestStampsOfWhatIsApplied(t *testing.T) {
	project(t, "stamps-applied")
	c := genericCredential("stamps-applied", "key")
	apply := func(who *person, description string) {
		t.Helper()
		document := fmt.Appendf(nil, `{"apiVersion":"credence.dev/v1alpha1","kind":"Credential","metadata":{"name":"key"},
			"spec":{"type":"generic","scope":{"level":"project"},"secretRef":{"name":"key"},"description":%q}}`, description)
		if err := who.Patch(t.Context(), c, client.RawPatch(types.ApplyPatchType, document), client.FieldOwner("gitops")); err != nil {
			t.Fatal(err)
		}
	}
	jane, joe := as(t, "jane"), as(t, "joe")
	apply(jane, "one")
	wantStamps(t, c, "jane")
	apply(joe, "one")
	wantStamps(t, c, "jane")
	apply(joe, "two")
	wantStamps(t, c, "joe")
	if warnings := append(jane.warnings(), joe.warnings()...); len(warnings) > 0 {
		t.Errorf("warnings: %q", warnings)
	}
}

// A dry run says who would be on record, and puts nobody there (failure mode 23).
func TestStampsInADryRun(t *testing.T) {
	project(t, "stamps-dry-run")
	jane, joe := as(t, "jane"), as(t, "joe")
	c := forged(genericCredential("stamps-dry-run", "dry"))
	if err := jane.Create(t.Context(), c, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	wantStamps(t, c, "jane")
	if err := jane.Get(t.Context(), client.ObjectKeyFromObject(c), &v1alpha1.Credential{}); !apierrors.IsNotFound(err) {
		t.Errorf("a dry run created it: %v", err)
	}
	c = genericCredential("stamps-dry-run", "dry")
	if err := jane.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	change := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"description":"changed"}}`))
	changed := c.DeepCopy()
	if err := joe.Patch(t.Context(), changed, change, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	wantStamps(t, changed, "joe")
	if err := jane.Get(t.Context(), client.ObjectKeyFromObject(c), c); err != nil {
		t.Fatal(err)
	}
	wantStamps(t, c, "jane")
}

// The controller's own writes put nobody on record.
func TestStampsAndTheController(t *testing.T) {
	project(t, "stamps-controller")
	create(t, genericSource("stamps-controller", "key"))
	if err := as(t, "jane").Create(t.Context(), genericCredential("stamps-controller", "key")); err != nil {
		t.Fatal(err)
	}
	ready(t, "stamps-controller", "key")
	c := &v1alpha1.Credential{}
	if err := cluster.Client().Get(t.Context(), client.ObjectKey{Namespace: "stamps-controller", Name: "key"}, c); err != nil {
		t.Fatal(err)
	}
	wantStamps(t, c, "jane")
}
