// SPDX-License-Identifier: Apache-2.0

package deletes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/usage"
	"github.com/credence-dev/credence/webhook/admission"
)

// Path is where deletes are decided. Its entry fails open.
const Path = "/own/deletes"

// Users knows who uses something. The answer is not known while what it follows is
// not complete, or while it does not know the object. It must cost no request.
type Users interface {
	UsersOf(kind asset.Kind, key types.NamespacedName) (used v1alpha1.UsedBy, known bool)
}

// Options are what the entry needs.
type Options struct {
	Users Users
	// Namespaces is a cache with the metadata of namespaces.
	Namespaces client.Reader
	// Log gets one line for each decision.
	Log logr.Logger
	// Registry gets the metrics.
	Registry prometheus.Registerer
}

// Handler returns the handler of the entry.
func Handler(options Options) (http.Handler, error) {
	entries, err := admission.NewEntries(options.Registry, options.Log)
	if err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	d := &deletes{users: options.Users, namespaces: options.Namespaces}
	return entries.Handler("deletes", d.read), nil
}

type deletes struct {
	users      Users
	namespaces client.Reader
}

// kinds are those of the chart's credence.scopedResources.
var kinds = map[admission.Resource]asset.Kind{
	{Group: v1alpha1.Group, Resource: "credentials"}:       asset.Credential,
	{Group: v1alpha1.Group, Resource: "environments"}:      asset.Environment,
	{Group: v1alpha1.Group, Resource: "datasources"}:       asset.DataSource,
	{Group: v1alpha1.Group, Resource: "workloadtemplates"}: asset.WorkloadTemplate,
}

// clearers delete for those who deleted an owner or the namespace. The last is the
// identity of all controllers of Kubernetes where each has none of its own.
var clearers = map[string]bool{
	"system:serviceaccount:kube-system:generic-garbage-collector": true,
	"system:serviceaccount:kube-system:namespace-controller":      true,
	"system:kube-controller-manager":                              true,
}

// request is the part of a request that we read.
type request struct {
	admission.Request
	Name      string  `json:"name"`
	UserInfo  user    `json:"userInfo"`
	OldObject *object `json:"oldObject"`
}

type user struct {
	Username string `json:"username"`
}

// object is the part of an object of ours that we read.
type object struct {
	Metadata struct {
		DeletionTimestamp string `json:"deletionTimestamp"`
		Annotations       struct {
			ForceDelete string `json:"credence.dev/force-delete"`
		} `json:"annotations"`
	} `json:"metadata"`
	Status struct {
		UsedBy struct {
			Total     int32 `json:"total"`
			Automatic int32 `json:"automatic"`
		} `json:"usedBy"`
	} `json:"status"`
}

// inquiry asks whether an object may go.
type inquiry struct {
	*request
	*deletes
	kind asset.Kind // empty for a kind that is not ours
}

// errMalformed does not say what is wrong: a decoder would quote what was sent.
var errMalformed = errors.New("the AdmissionReview is malformed")

func (d *deletes) read(review []byte) (admission.Inquiry, error) {
	read, fault, err := admission.Decode[request](review)
	switch {
	case errors.Is(err, admission.ErrNoReview):
		return nil, err
	case fault != nil || err != nil:
		return nil, errMalformed
	}
	return &inquiry{read, d, kinds[read.Resource]}, nil
}

// Subject implements admission.Inquiry.
func (q *inquiry) Subject() (key, name string) {
	if q.kind == "" {
		return "object", q.Name
	}
	return strings.ReplaceAll(q.kind.Word(), " ", ""), q.Name
}

// Decide implements admission.Inquiry.
func (q *inquiry) Decide(ctx context.Context) (admission.Response, admission.Outcome) {
	switch {
	case q.kind == "" || q.SubResource != "" || q.Operation != string(admissionv1.Delete):
		// Such reviews come only by a configuration that is not ours.
		return warn(fmt.Sprintf("credence is asked about %s of %q, which is not for this entry; correct the webhook configuration",
			admission.Shortened(q.Operation), admission.Shortened(q.What()))), admission.OutcomeError
	case q.isFree():
		return admission.Response{}, admission.OutcomeUnchanged
	}
	used, known := q.users.UsersOf(q.kind, types.NamespacedName{Namespace: q.Namespace, Name: q.Name})
	switch {
	case !known:
		return warn(unknown(q.kind, q.Name)), admission.OutcomeNotReady
	case used.Total == 0 && used.Automatic == 0 || q.isLeaving(ctx):
		return admission.Response{}, admission.OutcomeUnchanged
	case used.Total > 0:
		status := admission.Failure(http.StatusForbidden, metav1.StatusReasonForbidden, inUse(q.kind, q.Name, &used))
		return admission.Response{Refusal: status, Field: "status.usedBy"}, admission.OutcomeRefused
	case q.isTold(&used):
		return admission.Response{}, admission.OutcomeUnchanged
	}
	return warn(automatic(q.Name, &used)), admission.OutcomeUnchanged
}

// isFree says whether nothing keeps the object from going. To set the annotation is a
// right that somebody had.
func (q *inquiry) isFree() bool {
	if clearers[q.UserInfo.Username] {
		return true
	}
	if q.OldObject == nil {
		return false
	}
	force := q.OldObject.Metadata.Annotations.ForceDelete
	return q.OldObject.Metadata.DeletionTimestamp != "" || force == "true" || force == "keep"
}

// isLeaving says whether the namespace is being deleted. One that is not known is not.
// Whoever knows the users of an object has the namespaces, so this waits for nothing.
func (q *inquiry) isLeaving(ctx context.Context) bool {
	namespace := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
	err := q.namespaces.Get(ctx, types.NamespacedName{Name: q.Namespace}, namespace, client.UnsafeDisableDeepCopy)
	return err == nil && !namespace.DeletionTimestamp.IsZero()
}

// isTold says whether the policy of the chart, which goes by the status, warns of as
// many. Nobody is to read the same twice.
func (q *inquiry) isTold(used *v1alpha1.UsedBy) bool {
	if q.OldObject == nil {
		return false
	}
	told := q.OldObject.Status.UsedBy
	return told.Total == 0 && min(told.Automatic, usage.MaxCounted) == min(used.Automatic, usage.MaxCounted)
}

func warn(warning string) admission.Response { return admission.Response{Warnings: []string{warning}} }
