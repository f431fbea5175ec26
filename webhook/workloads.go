// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector"
	"github.com/credence-dev/credence/injector/fetch"
	"github.com/credence-dev/credence/injector/patch"
	"github.com/credence-dev/credence/injector/remark"
	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/webhook/admission"
)

// Where workloads are reviewed that are created or changed. Both entries fail open,
// and neither ever refuses: what a workload asks for is decided when its pods come.
const (
	// PathCarry is for workloads that have annotations of ours, on themselves or in
	// their pod template.
	PathCarry = "/workloads/carry"
	// PathTemplatePullSecrets is for the other workloads of projects whose controller
	// looks up images before there is a pod.
	PathTemplatePullSecrets = "/workloads/pull-secrets"
)

// workloads carries annotations to pod templates, and says what the pods would be
// told. It asks the catalog and nobody else.
type workloads struct {
	known *catalog.Catalog
	kinds *workload.Registry
	fetch *fetch.Settings
	clock clock.PassiveClock
}

// workloadRequest is the part of a request about a workload that we read. The objects
// are kept as they came: which part of them matters depends on the kind.
type workloadRequest struct {
	admission.Request
	Kind      metav1.GroupVersionKind `json:"kind"`
	Object    jsontext.Value          `json:"object"`
	OldObject jsontext.Value          `json:"oldObject"`
}

// workloadInquiry asks what is carried.
type workloadInquiry struct {
	*workloadRequest
	*workloads
	head struct {
		Metadata struct {
			Name              string         `json:"name"`
			GenerateName      string         `json:"generateName"`
			CreationTimestamp metav1.Time    `json:"creationTimestamp"`
			DeletionTimestamp jsontext.Value `json:"deletionTimestamp"`
		} `json:"metadata"`
	}
	fault error // of the object, which cannot be read
}

func (w *workloads) read(review []byte) (admission.Inquiry, error) {
	request, _, err := decode[workloadRequest](review, "workload")
	if err != nil {
		return nil, err
	}
	asked := &workloadInquiry{workloadRequest: request, workloads: w}
	if len(request.Object) > 0 {
		asked.fault = json.Unmarshal(request.Object, &asked.head)
	}
	return asked, nil
}

// Subject implements admission.Inquiry.
func (q *workloadInquiry) Subject() (key, name string) {
	if name = q.head.Metadata.Name; name == "" {
		name = q.head.Metadata.GenerateName
	}
	return "workload", q.Kind.Kind + "/" + name
}

func (q *workloadInquiry) isNew() bool { return q.Operation == string(admissionv1.Create) }

// Decide implements admission.Inquiry.
func (q *workloadInquiry) Decide(context.Context) (admission.Response, admission.Outcome) {
	kind, known := q.kinds.Of(metav1.GroupVersion{Group: q.Kind.Group, Version: q.Kind.Version}.String(), q.Kind.Kind)
	switch {
	case !known || !kind.Carries || q.SubResource != "" || !q.isNew() && q.Operation != string(admissionv1.Update):
		// As for pods: such reviews come only by a configuration that is not ours, or that
		// is a moment ahead of us.
		return admission.Response{Warnings: []string{fmt.Sprintf("credence is asked about %s of %q, which is not for this entry; correct the webhook configuration",
			admission.Shortened(q.Operation), admission.Shortened(q.What()))}}, admission.OutcomeError
	case q.fault != nil || len(q.Object) == 0:
		return q.leave("it cannot be read")
	case present(q.head.Metadata.DeletionTimestamp):
		return admission.Response{}, admission.OutcomeUnchanged
	}
	templates, err := kind.Templates(q.Object)
	if err != nil {
		return q.leave(err.Error())
	}
	operations, err := workload.Carry(q.Object, templates...)
	if err != nil {
		return q.leave(err.Error())
	}
	return q.decide(&kind, templates, operations)
}

// leave admits a workload as it is, for the API server to judge.
func (q *workloadInquiry) leave(problem string) (admission.Response, admission.Outcome) {
	var warnings remark.Warnings
	warnings.Add("annotations are not carried to the pod template: %s", problem)
	return admission.Response{Warnings: warnings.List()}, admission.OutcomeUnchanged
}

func (q *workloadInquiry) decide(kind *workload.Kind, templates []workload.Template, operations []jsonpatch.Operation) (admission.Response, admission.Outcome) {
	var warnings remark.Warnings
	fixed := q.fixed(kind, templates)
	switch {
	case len(operations) > 0 && fixed != "":
		warnings.Add("%s", fixed)
		operations = nil
	case len(operations) == 0 && !workload.Fits(q.Object, templates...):
		warnings.Add("%s", injector.NotCarriedTooLarge)
	}
	current, err := patch.Apply(q.Object, operations)
	if err != nil {
		return q.leave("the patch does not apply")
	}
	for i := range templates {
		templates[i].PullSecrets = templates[i].PullSecrets && fixed == "" && q.changes(templates[i], current)
	}
	request := injector.Request{Namespace: q.Namespace, Since: q.since, Fetch: q.fetch}
	operations = append(operations, injector.Check(q.known, current, templates, request, &warnings)...)
	answer := admission.Response{Operations: operations, Warnings: warnings.List()}
	if len(operations) == 0 {
		return answer, admission.OutcomeUnchanged
	}
	return answer, admission.OutcomeCarried
}

// changes says whether a template is another than it was. One that stays as it is gets
// no pull secrets, for those would be a roll-out that nobody asked for.
func (q *workloadInquiry) changes(template workload.Template, current []byte) bool {
	return q.isNew() || !sameAt(current, q.OldObject, template)
}

// since is how old the workload of the pods is: those of one that was there before a
// credential's deletion began may still have it.
func (q *workloadInquiry) since() (time.Time, bool) {
	if q.isNew() || q.head.Metadata.CreationTimestamp.IsZero() {
		return q.clock.Now(), true
	}
	return q.head.Metadata.CreationTimestamp.Time, true
}

// fixed says why the templates must stay as they are: a change of them would be
// refused, and with it whatever else somebody wanted.
func (q *workloadInquiry) fixed(kind *workload.Kind, templates []workload.Template) string {
	switch {
	case q.isNew():
		return ""
	case kind.OnlyNew:
		return fmt.Sprintf("annotations of a %s are carried to its pods when it is created, and not after; create it anew", kind.Kind)
	case kind.Revisions:
		for _, template := range templates {
			if name := template.Name(q.Object); name != "" && name == template.Name(q.OldObject) {
				return fmt.Sprintf("annotations are not carried to the template of revision %q, which must not change under that name; give it another name, or none", name)
			}
		}
	}
	return ""
}

// sameAt says whether two versions of an object have the same template.
func sameAt(a, b []byte, at workload.Template) bool {
	first, second := at.Raw(a), at.Raw(b)
	if bytes.Equal(first, second) {
		return true
	}
	first, second = bytes.Clone(first), bytes.Clone(second)
	return (*jsontext.Value)(&first).Canonicalize() == nil && (*jsontext.Value)(&second).Canonicalize() == nil && bytes.Equal(first, second)
}

func present(raw jsontext.Value) bool { return len(raw) > 0 && raw.Kind() != 'n' }
