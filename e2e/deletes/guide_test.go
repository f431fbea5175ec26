// SPDX-License-Identifier: Apache-2.0

package deletes

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	docs "github.com/credence-dev/credence/e2e/guide"
)

// guide does what docs/deleting.md shows.
func guide(t *testing.T) {
	text, err := os.ReadFile("../../docs/deleting.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := docs.Read("../../docs/deleting.md")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := page.Section("## Let it go").Objects()
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetKind() == "Deployment" {
			// No node is here on which new pods become ready, and the old ones would stay.
			if err := unstructured.SetNestedField(object.Object, "Recreate", "spec", "strategy", "type"); err != nil {
				t.Fatal(err)
			}
		}
		made(t, object)
	}
	mail, login := wide("mail", "mail-login"), source(system, "mail-login")
	used(t, mail, 1)
	const users = `used by 1 workload: Deployment team-a/sender; detach it there first`
	if !strings.Contains(string(text), `credential "mail" is `+users) {
		t.Error("the guide has other words")
	}
	if err := refused(jane(t).Delete(t.Context(), mail.DeepCopy()), byInUse, `credential "mail" is `+users); err != nil {
		t.Error(err)
	}
	poll(t, "the source is kept", func(ctx context.Context) error {
		return refused(jane(t).Delete(ctx, login.DeepCopy()), bySources, `it holds the values of credential "mail", which is `+users)
	})
	// As kubectl annotate does.
	detach := client.RawPatch("application/merge-patch+json", []byte(`{"metadata": {"annotations": {"`+v1alpha1.AnnotationCredentials+`": null}}}`))
	if err := cluster.Client().Patch(t.Context(), web(teamA, "sender", "", ""), detach); err != nil {
		t.Fatal(err)
	}
	poll(t, "both may go", func(ctx context.Context) error {
		return errors.Join(client.IgnoreNotFound(jane(t).Delete(ctx, mail.DeepCopy())), client.IgnoreNotFound(jane(t).Delete(ctx, login.DeepCopy())))
	})
	gone(t, mail)
	gone(t, login)
}
