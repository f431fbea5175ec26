// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// refusals are the ends of the sentences that the pods of 4-refused.yaml get.
var refusals = map[string]string{
	"curious":  `there is no credential "openai" in namespace team-c`,
	"misspelt": `there is no credential "opnai" in namespace team-a; did you mean "openai"?`,
}

// showRefusals creates pods that are refused, prints why, and returns how many
// were not, or not in these words.
func (d *Demo) showRefusals(ctx context.Context) (wrong int, err error) {
	list, err := read("4-refused.yaml")
	if err != nil {
		return 0, err
	}
	for _, pod := range list {
		d.say("\nPod %s (%s)", pod.GetName(), pod.GetNamespace())
		for key, value := range pod.GetAnnotations() {
			d.say("    asks  %s: %s", key, value)
		}
		err := d.Client().Create(ctx, pod)
		if err == nil {
			d.say("    NOT AS EXPECTED: it was admitted")
			wrong++
			continue
		}
		d.say("    is refused: %v", err)
		if !strings.HasSuffix(err.Error(), refusals[pod.GetName()]) {
			d.say("    NOT AS EXPECTED, which is: … %s", refusals[pod.GetName()])
			wrong++
		}
	}
	return wrong, nil
}

// showCredentials prints the credentials as kubectl get would.
func (d *Demo) showCredentials(ctx context.Context) error {
	credentials := &v1alpha1.CredentialList{}
	if err := d.Client().List(ctx, credentials); err != nil {
		return err
	}
	table := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "    NAME\tTYPE\tSCOPE\tIN\tSTATE\tNAMESPACES")
	for _, c := range credentials.Items {
		scope := string(c.Spec.Scope.Level)
		if c.Spec.Scope.Department != "" {
			scope += " " + c.Spec.Scope.Department
		}
		_, _ = fmt.Fprintf(table, "    %s\t%s\t%s\t%s\t%s\t%d/%d\n", c.Name, c.Spec.Type, scope, c.Namespace, c.Status.State,
			c.Status.Namespaces.Ready, c.Status.Namespaces.Desired)
	}
	return table.Flush()
}
