// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector"
)

// Where the creation of pods is reviewed. Both entries decide alike, for what a pod
// asks for is seen from the pod; they differ in what the API server does when nobody
// answers. An entry for anything else (a kind of ours, workloads, deletions) would be a
// file of its own beside this one, with its path and its admitter, which would then say
// in place of handler.answer what a review must be of.
const (
	// PathAnnotated is for pods that ask for credentials. Its entry fails closed:
	// such a pod never runs without them.
	PathAnnotated = "/pods/inject"
	// PathPullSecrets is for the other pods of projects. They get the registry
	// logins that serve their images, and are never refused; the entry fails open.
	PathPullSecrets = "/pods/pull-secrets"
)

const (
	// patience is how long a pod waits for a credential whose status is behind,
	// because Secret, Credential and pod came in one apply. The API server's timeout
	// for the webhook is longer.
	patience = 2 * time.Second
	// decisionsApart is the least time from one decision about a waiting pod to the
	// next, so that many changes at once do not cost many decisions of many pods.
	decisionsApart = 20 * time.Millisecond
)

// pods decides what pods get.
type pods struct {
	known  *catalog.Catalog
	live   *liveReader
	owners *ownerReader
	clock  clock.Clock
}

// admit injects, waiting a moment for what was created a moment ago.
func (p *pods) admit(ctx context.Context, request *request) (response, outcome) {
	view := &view{Catalog: p.known, live: p.live, ctx: ctx, until: p.clock.Now().Add(patience)}
	since := sync.OnceValues(func() (time.Time, bool) {
		return p.owners.since(ctx, view.until, request.Namespace, &request.Object.Metadata)
	})
	for {
		changed := p.known.Changed() // before the decision, so that no change is missed
		result, err := injector.Inject(view, injector.Request{
			Pod: request.Object, Namespace: request.Namespace, PullSecrets: true, Since: since,
		})
		if err == nil && view.unknown != "" { // the pod asks for nothing, and is not refused
			return response{warnings: []string{view.unknown + "; the pod gets no registry logins"}}, outcomeNotReady
		}
		if err == nil {
			return admitted(result)
		}
		refusal := asRefusal(err)
		switch {
		case view.unknown != "":
			return tryAgain(&injector.Refusal{Annotation: refusal.Annotation, Problem: view.unknown + ", try again"}), outcomeNotReady
		case refusal.Kind != injector.NotReady:
			return forbidden(refusal), outcomeRefused
		case !p.wait(ctx, changed, view.until):
			return tryAgain(refusal), outcomeNotReady
		}
	}
}

// wait waits for a change of the catalog and says whether there was one in time.
func (p *pods) wait(ctx context.Context, changed <-chan struct{}, until time.Time) bool {
	deadline := p.clock.NewTimer(until.Sub(p.clock.Now()))
	defer deadline.Stop()
	apart := p.clock.NewTimer(decisionsApart)
	defer apart.Stop()
	select {
	case <-changed:
	case <-deadline.C():
		return false
	case <-ctx.Done():
		return false
	}
	select {
	case <-apart.C():
		return true
	case <-deadline.C():
		return false
	case <-ctx.Done():
		return false
	}
}

func asRefusal(err error) *injector.Refusal {
	var refusal *injector.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	return &injector.Refusal{Problem: err.Error()}
}

// admitted answers with what the injector decided.
func admitted(result injector.Result) (response, outcome) {
	answer := response{operations: result.Operations, warnings: result.Warnings, audit: make(map[string]string, len(result.Record))}
	for name, what := range result.Record {
		answer.audit[name] = strings.Join(what, ", ")
	}
	if len(result.Operations) == 0 {
		return answer, outcomeUnchanged
	}
	return answer, outcomeInjected
}
