// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// BenchmarkForeignSecrets looks at the memory of the controller in a cluster that
// is full of Secrets which are no business of Credence's: those of the projects,
// the releases of Helm. An informer on Secrets would hold them all.
func BenchmarkForeignSecrets(b *testing.B) {
	report(b, func() []figure {
		c := start(b)
		return c.measureForeignSecrets(b, foreignSize{projects: scaled(100), secrets: scaled(20_000), settle: 30 * time.Second})
	})
}

type foreignSize struct {
	projects, secrets int
	// settle is how long the memory is watched.
	settle time.Duration
}

func (c *cluster) measureForeignSecrets(tb testing.TB, size foreignSize) []figure {
	tb.Helper()
	const department = "foreign"
	stored := c.fill(tb, func(yield func(client.Object) bool) {
		projects(department, size.projects)(yield)
		for i := range size.secrets {
			if !yield(foreignSecret(projectName(department, i%size.projects), i)) {
				return
			}
		}
	})
	note(tb, "%d foreign Secrets, of %d bytes each", size.secrets, stored/size.secrets)
	controller, _ := c.startCredence(tb)
	scope := v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: department}
	secret := source(systemNamespace, department, v1alpha1.Generic, scope)
	onlooker := c.look(tb, v1alpha1.LabelCopyOf, secret.Name)
	c.create(tb, secret, credentialOf(secret, v1alpha1.Generic, scope))
	if err := onlooker.until(tb.Context(), size.projects, existing); err != nil {
		tb.Fatal(err)
	}

	controller.Stop()
	c.settle(tb)
	controller, _ = c.startProcess(tb, "controller")
	c.settle(tb)
	return memoryFigures(tb, "controller", controller, size.settle, 100)
}

// foreignSecret is one of 16 KiB that has nothing to do with Credence.
func foreignSecret(namespace string, i int) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: stored(namespace, fmt.Sprintf("sh.helm.release.v1.app-%05d.v1", i)),
		Type:       "helm.sh/release.v1",
		Data:       map[string][]byte{"release": bytes.Repeat([]byte("H4sIAAAA"), 16<<10/8)},
	}
	secret.Labels = map[string]string{"owner": "helm", "name": "app", "status": "deployed", "version": "1"}
	return secret
}
