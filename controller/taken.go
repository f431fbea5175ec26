// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/credential/words"
)

// taken are the namespaces in scope where another Secret has the Kubernetes name.
func (o *observation) taken() (names []string) {
	for _, p := range o.projects {
		if !p.terminating && !p.unused && o.outcome(p).Reason == v1alpha1.IssueNameTaken {
			names = append(names, p.namespace)
		}
	}
	return names
}

// explainTaken says of the Secrets that are in the way which Credential has them as
// its source: to remove or rename such a one breaks that.
func (g *gatherer) explainTaken(ctx context.Context, o *observation) error {
	taken := o.taken()
	if len(taken) == 0 {
		return nil
	}
	list, err := g.Credentials(ctx, client.MatchingFields{lookup.IndexSource: o.wanted.Name})
	if err != nil || len(list) == 0 {
		return err
	}
	of := map[string]string{}
	for i := range list {
		of[list[i].Namespace] = list[i].Name
	}
	for _, namespace := range taken {
		if name, known := of[namespace]; known {
			outcome := o.report.Outcomes[namespace]
			outcome.Message = words.Cut(fmt.Sprintf("Secret %s is the source of Credential %s/%s there, and is left as it is: "+
				"to have this credential there, make that one again with a Secret of another name", o.wanted.Name, namespace, name), maxIssue)
			o.report.Outcomes[namespace] = outcome
		}
	}
	return nil
}
