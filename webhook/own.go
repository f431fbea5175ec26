// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/webhook/admission"
	"github.com/credence-dev/credence/webhook/own"
)

// PathStamp is where objects of our own kinds are reviewed that are created or
// changed: who did it is written on them. Its entry fails closed, so that nobody
// else can.
const PathStamp = "/own/stamp"

// ownKind is a kind of ours with spec.scope and spec.displayName.
type ownKind struct {
	kind asset.Kind
	// widened is what to mind when the scope of an object is widened.
	widened string
	// known has the names of its objects.
	known *catalog.Catalog
}

// kinds are those of the chart's credence.scopedResources.
type kinds map[admission.Resource]*ownKind

func ownKinds(known *catalog.Catalog) kinds {
	all := kinds{}
	for resource, kind := range map[string]asset.Kind{
		"credentials": asset.Credential, "environments": asset.Environment,
		"datasources": asset.DataSource, "workloadtemplates": asset.WorkloadTemplate,
	} {
		all[admission.Resource{Group: v1alpha1.Group, Resource: resource}] = &ownKind{kind: kind, known: known}
	}
	// Whether it is so labelled, only who may read Secrets knows.
	all[admission.Resource{Group: v1alpha1.Group, Resource: "credentials"}].widened = "a source made in advance must be labelled " +
		v1alpha1.LabelSourceClusterWide + "=true now, and " + v1alpha1.LabelSourceDepartment + " no more, or all copies of the credential are withdrawn"
	return all
}

// emptyOf makes an empty object of a kind, to read one into.
func emptyOf(kind asset.Kind) client.Object {
	switch kind {
	case asset.Environment:
		return &v1alpha1.Environment{}
	case asset.DataSource:
		return &v1alpha1.DataSource{}
	case asset.WorkloadTemplate:
		return &v1alpha1.WorkloadTemplate{}
	}
	return &v1alpha1.Credential{}
}

// claimOf is what an object is called, if its namespace is this place.
func claimOf(object client.Object, home credential.Place) catalog.Claim {
	if c, ok := object.(*v1alpha1.Credential); ok {
		return catalog.NewEntry(c).Claim(home)
	}
	return catalog.AssetClaim(asset.New(object), home)
}

// ownRequest is the part of a request about an object of ours that we read.
type ownRequest struct {
	admission.Request
	UserInfo  user        `json:"userInfo"`
	Object    *own.Object `json:"object"`
	OldObject *own.Object `json:"oldObject"`
}

type user struct {
	Username string `json:"username"`
}

// ownInquiry is about an object of ours.
type ownInquiry struct {
	*ownRequest
	kind  *ownKind   // nil for a kind that is not ours
	fault *pod.Error // of the object, which cannot be decoded
}

func (k kinds) read(review []byte) (ownInquiry, error) {
	request, fault, err := decode[ownRequest](review, "valid object")
	if err != nil {
		return ownInquiry{}, err
	}
	return ownInquiry{request, k[request.Resource], fault}, nil
}

// Subject implements admission.Inquiry.
func (q *ownInquiry) Subject() (key, name string) {
	key = "object"
	if q.kind != nil {
		key = strings.ReplaceAll(q.kind.kind.Word(), " ", "")
	}
	if q.Object != nil {
		name = q.Object.Metadata.Name
	}
	return key, name
}

// unfit answers what cannot be decided, or need not be: ok is false then. An object
// that is being deleted is not looked at, so that nothing keeps it from going.
func (q *ownInquiry) unfit() (answer admission.Response, result admission.Outcome, ok bool) {
	creation, update := q.Operation == string(admissionv1.Create), q.Operation == string(admissionv1.Update)
	switch {
	case q.kind == nil || q.SubResource != "" || !creation && !update:
		// As for pods: such reviews come only by a configuration that is not ours.
		return admission.Response{Warnings: []string{fmt.Sprintf("credence is asked about %s of %q, which is not for this entry; correct the webhook configuration",
			admission.Shortened(q.Operation), admission.Shortened(q.What()))}}, admission.OutcomeError, false
	case update && q.OldObject != nil && q.OldObject.Metadata.Deleting:
		return admission.Response{}, admission.OutcomeUnchanged, false
	case q.fault != nil:
		return malformed(q.fault), admission.OutcomeRefused, false
	case q.Object == nil || update && q.OldObject == nil:
		return malformed(&pod.Error{Problem: "the review lacks an object"}), admission.OutcomeRefused, false
	}
	return admission.Response{}, "", true
}

// stampInquiry asks who is on record.
type stampInquiry struct{ ownInquiry }

func (k kinds) stamp(review []byte) (admission.Inquiry, error) {
	asked, err := k.read(review)
	if err != nil {
		return nil, err
	}
	return &stampInquiry{asked}, nil
}

// Decide implements admission.Inquiry.
func (q *stampInquiry) Decide(context.Context) (admission.Response, admission.Outcome) {
	if answer, result, ok := q.unfit(); !ok {
		return answer, result
	}
	operations, warnings := own.Stamp(q.OldObject, q.Object, q.UserInfo.Username)
	answer := admission.Response{Operations: operations, Warnings: warnings}
	if len(operations) == 0 {
		return answer, admission.OutcomeUnchanged
	}
	return answer, admission.OutcomeStamped
}

// invalid refuses an object for some of its fields, in the way of fields that the API
// server itself finds invalid. The message is what is wrong with the first. Clients put
// the field before the message of a cause, so it is not repeated there.
func (q *ownInquiry) invalid(of metav1.CauseType, refusals ...own.Refusal) admission.Response {
	first := &refusals[0]
	status := admission.Failure(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, first.Message)
	status.Details = &metav1.StatusDetails{Group: q.Resource.Group, Kind: string(q.kind.kind), Name: q.Object.Metadata.Name}
	for _, refusal := range refusals {
		problem := strings.TrimPrefix(refusal.Message, refusal.Field+": ")
		status.Details.Causes = append(status.Details.Causes, metav1.StatusCause{Type: of, Field: refusal.Field, Message: problem})
	}
	return admission.Response{Refusal: status, Field: first.Field}
}
