// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/utils/clock"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/remark"
	"github.com/credence-dev/credence/webhook/admission"
)

// Where the creation of pods is reviewed. Both entries decide alike, for what a pod
// asks for is seen from the pod; they differ in what the API server does when nobody
// answers.
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
	fetch  *fetch.Settings
}

// podRequest is the part of a request about a pod that we read.
type podRequest struct {
	admission.Request
	Object *pod.Pod `json:"object"`
}

// podInquiry asks what a pod gets.
type podInquiry struct {
	*podRequest
	*pods
	fault *pod.Error // of the pod, which cannot be decoded
}

func (p *pods) read(review []byte) (admission.Inquiry, error) {
	request, fault, err := decode[podRequest](review, "pod")
	if err != nil {
		return nil, err
	}
	return podInquiry{request, p, fault}, nil
}

// Subject implements admission.Inquiry.
func (q podInquiry) Subject() (key, name string) { return "workload", q.Object.WorkloadName() }

// Decide implements admission.Inquiry.
func (q podInquiry) Decide(ctx context.Context) (admission.Response, admission.Outcome) {
	switch {
	case q.Resource != (admission.Resource{Resource: "pods"}) || q.SubResource != "" || q.Operation != string(admissionv1.Create):
		// Such reviews come only by a configuration that is not ours. To refuse them could
		// keep pods from being bound to a node, or from losing their finalizers.
		return admission.Response{Warnings: []string{fmt.Sprintf("credence is asked about %s of %q, but injects only at CREATE of pods; correct the webhook configuration",
			admission.Shortened(q.Operation), admission.Shortened(q.What()))}}, admission.OutcomeError
	case q.fault != nil:
		return malformed(q.fault), admission.OutcomeRefused
	case q.Object == nil:
		return malformed(errNoPod), admission.OutcomeRefused
	}
	if err := q.Object.Validate(); err != nil {
		return malformed(err), admission.OutcomeRefused
	}
	if q.Namespace == "" { // else it would be looked up, and trying again cannot help
		return malformed(errNoNamespace), admission.OutcomeRefused
	}
	return q.admit(ctx, q.podRequest)
}

var (
	errNoPod       = errors.New("not a pod: the review has no object")
	errNoNamespace = errors.New("not a pod: the review has no namespace")
)

// admit injects, waiting a moment for what was created a moment ago.
func (p *pods) admit(ctx context.Context, request *podRequest) (admission.Response, admission.Outcome) {
	visit := &visit{ctx: ctx, until: p.clock.Now().Add(patience), namespace: request.Namespace, request: &request.Request}
	view := &view{Catalog: p.known, live: p.live, visit: visit}
	since := sync.OnceValues(func() (time.Time, bool) { return p.owners.since(visit, &request.Object.Metadata) })
	for {
		changed := p.known.Changed() // before the decision, so that no change is missed
		result, err := injector.Inject(view, injector.Request{
			Pod: request.Object, Namespace: request.Namespace, PullSecrets: true, Since: since, Fetch: p.fetch,
		})
		if err == nil && view.unknown != "" { // the pod asks for nothing, and is not refused
			return admission.Response{Warnings: []string{view.unknown + "; the pod gets no registry logins"}}, admission.OutcomeNotReady
		}
		if err == nil {
			return admitted(result)
		}
		refusal := asRefusal(err)
		switch {
		case view.unknown != "":
			return tryAgain(&injector.Refusal{Annotation: refusal.Annotation, Problem: view.unknown + ", try again"}), admission.OutcomeNotReady
		case refusal.Kind != injector.NotReady:
			return forbidden(refusal), admission.OutcomeRefused
		case !visit.mayWait() || !p.wait(visit, changed):
			return tryAgain(refusal), admission.OutcomeNotReady
		}
	}
}

// visit is one request that may have to wait.
type visit struct {
	ctx       context.Context // the request's, as long as which the visit lasts
	until     time.Time       // nothing that takes time begins later
	namespace string
	request   *admission.Request
}

// mayWait says whether there is room to wait in.
func (v *visit) mayWait() bool { return v.request.Park() }

// wait waits for a change of the catalog and says whether there was one in time.
func (p *pods) wait(v *visit, changed <-chan struct{}) bool {
	deadline := p.clock.NewTimer(v.until.Sub(p.clock.Now()))
	defer deadline.Stop()
	apart := p.clock.NewTimer(decisionsApart)
	defer apart.Stop()
	select {
	case <-changed:
	case <-deadline.C():
		return false
	case <-v.ctx.Done():
		return false
	}
	select {
	case <-apart.C():
		return true
	case <-deadline.C():
		return false
	case <-v.ctx.Done():
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

// audit says what each credential became, under its name. The key of an audit
// annotation holds no slash and at most 63 characters, so assets are together under
// their kind, which no credential's name is: it has a capital.
func audit(annotations map[string]string, record remark.Record) {
	for _, name := range record.Names() {
		what := strings.Join(record[name], ", ")
		kind, assetName, isAsset := remark.AssetIn(name)
		switch before := annotations[string(kind)]; {
		case !isAsset:
			annotations[name] = what
		case before != "":
			annotations[string(kind)] = before + "; " + assetName + ": " + what
		default:
			annotations[string(kind)] = assetName + ": " + what
		}
	}
}

// admitted answers with what the injector decided.
func admitted(result injector.Result) (admission.Response, admission.Outcome) {
	answer := admission.Response{Operations: result.Operations, Warnings: result.Warnings, Audit: make(map[string]string, len(result.Record))}
	audit(answer.Audit, result.Record)
	if len(result.Operations) == 0 {
		return answer, admission.OutcomeUnchanged
	}
	answer.Logged = []any{"credential", strings.Join(result.Record.Names(), ",")}
	return answer, admission.OutcomeInjected
}
