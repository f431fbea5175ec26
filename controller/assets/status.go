// SPDX-License-Identifier: Apache-2.0

package assets

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/check"
)

// objectOf returns an empty object of a kind, nil for one that is no asset's.
func objectOf(kind asset.Kind) client.Object {
	switch kind {
	case asset.Environment:
		return &v1alpha1.Environment{}
	case asset.DataSource:
		return &v1alpha1.DataSource{}
	case asset.WorkloadTemplate:
		return &v1alpha1.WorkloadTemplate{}
	}
	return nil
}

// statusIn returns the status in an object that objectOf made.
func statusIn(object client.Object) *v1alpha1.AssetStatus {
	switch o := object.(type) {
	case *v1alpha1.Environment:
		return &o.Status
	case *v1alpha1.DataSource:
		return &o.Status
	case *v1alpha1.WorkloadTemplate:
		return &o.Status
	}
	return &v1alpha1.AssetStatus{}
}

// observation is all that a status is computed from.
type observation struct {
	object client.Object
	asset  *asset.Asset
	faults []check.Fault
	// used is who uses the asset, nil while that is not known.
	used *v1alpha1.UsedBy
	now  time.Time
}

// computeStatus says what an observation means. It is pure.
func computeStatus(o *observation) v1alpha1.AssetStatus {
	status := *statusIn(o.object).DeepCopy()
	status.ObservedGeneration = o.object.GetGeneration()
	ready := o.ready()
	ready.Type, ready.ObservedGeneration, ready.LastTransitionTime = v1alpha1.ConditionReady, status.ObservedGeneration, metav1.NewTime(o.now)
	meta.SetStatusCondition(&status.Conditions, ready)
	if o.used != nil {
		status.UsedBy = *o.used
	}
	users.SetInUse(&status.Conditions, o.asset.Kind, o.used, status.ObservedGeneration, o.now)
	return status
}

// maxFaultsTold bounds how many faults are told of.
const maxFaultsTold = 5

func (o *observation) ready() metav1.Condition {
	word := o.asset.Kind.Word()
	switch {
	case o.asset.DeletedAt != nil:
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonTerminating, Message: "the " + word + " is being deleted"}
	case len(o.faults) == 0:
		return metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonResolved, Message: resolved(o.asset)}
	}
	var told []string
	for i := range o.faults[:min(len(o.faults), maxFaultsTold)] {
		told = append(told, o.faults[i].Error())
	}
	if more := len(o.faults) - len(told); more > 0 {
		told = append(told, fmt.Sprintf("and %d more", more))
	}
	return metav1.Condition{Status: metav1.ConditionFalse, Reason: o.faults[0].Reason, Message: strings.Join(told, "; ")}
}

// resolved says that nothing is wrong.
func resolved(a *asset.Asset) string {
	word := a.Kind.Word()
	if len(a.References()) == 0 {
		return fmt.Sprintf("the %s can be used in every project of its scope", word)
	}
	return fmt.Sprintf("all that the %s refers to can be had in every project of its scope", word)
}
