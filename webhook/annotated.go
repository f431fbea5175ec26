// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector"
)

// PathAnnotated is where annotated pods are reviewed. Its entry fails closed: a
// pod that asks for credentials never runs without them.
const PathAnnotated = "/pods/inject"

// statusWait is how long a pod waits for a credential whose status is behind,
// because Secret, Credential and pod came in one apply. The API server's timeout
// for the webhook is longer.
const statusWait = 2 * time.Second

// annotated decides about pods that ask for something.
type annotated struct {
	known  *catalog.Catalog
	live   *liveReader
	owners *ownerReader
	clock  clock.Clock
}

// admit injects, waiting a moment for what was created a moment ago.
func (a *annotated) admit(ctx context.Context, request *request) (response, outcome) {
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	deadline := a.clock.NewTimer(statusWait)
	defer deadline.Stop()
	var known injector.Catalog = a.known
	for {
		changed := a.known.Changed() // before the decision, so that no change is missed
		result, err := injector.Inject(known, injector.Request{
			Pod: request.Object, Namespace: request.Namespace, PullSecrets: true,
			Since: func() (time.Time, bool) { return a.owners.since(ctx, request.Namespace, request.Object) },
		})
		if err == nil {
			return injected(result)
		}
		refusal := asRefusal(err)
		switch {
		case refusal.Kind == injector.NotFound && known == injector.Catalog(a.known):
			overlay, err := a.live.read(ctx, request.Namespace, request.Object)
			if err != nil {
				return tryAgain(fmt.Sprintf("credence could not look for it just now, try again: %s", refusal)), outcomeNotReady
			}
			if overlay != nil {
				known = overlay
				continue
			}
			return invalid(refusal.Error()), outcomeRefused
		case refusal.Kind != injector.NotReady:
			return invalid(refusal.Error()), outcomeRefused
		}
		select {
		case <-changed:
		case <-deadline.C():
			return tryAgain(refusal.Error()), outcomeNotReady
		case <-ctx.Done():
			return tryAgain(refusal.Error()), outcomeNotReady
		}
	}
}

func asRefusal(err error) *injector.Refusal {
	var refusal *injector.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	return &injector.Refusal{Problem: err.Error()}
}

// injected answers with what the injector decided.
func injected(result injector.Result) (response, outcome) {
	answer := response{warnings: result.Warnings, audit: make(map[string]string, len(result.Record))}
	for name, what := range result.Record {
		answer.audit[name] = strings.Join(what, ", ")
	}
	if len(result.Operations) == 0 {
		return answer, outcomeUnchanged
	}
	patch, err := injector.AppendPatch(make([]byte, 0, 2048), result.Operations)
	if err != nil {
		return refused(500, "InternalError", "the patch could not be written"), outcomeError
	}
	answer.patch = patch
	return answer, outcomeInjected
}
