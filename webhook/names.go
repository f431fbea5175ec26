// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/injector/remark"
	"github.com/credence-dev/credence/webhook/admission"
	"github.com/credence-dev/credence/webhook/own"
)

// PathNames is where it is decided whether an object of ours may have its names, and
// whether an asset is mistaken. Its entry fails closed.
const PathNames = "/own/names"

// names decides whether names are free, and whether assets are mistaken.
type names struct {
	kinds kinds
	live  *liveReader
	clock clock.Clock
}

// nameInquiry asks whether names are free.
type nameInquiry struct {
	ownInquiry
	live  *liveReader
	clock clock.Clock
}

func (n *names) read(review []byte) (admission.Inquiry, error) {
	asked, err := n.kinds.read(review)
	if err != nil {
		return nil, err
	}
	return &nameInquiry{asked, n.live, n.clock}, nil
}

// Decide implements admission.Inquiry.
func (q *nameInquiry) Decide(ctx context.Context) (admission.Response, admission.Outcome) {
	if answer, result, ok := q.unfit(); !ok {
		return answer, result
	}
	claim, change, err := q.names()
	if err != nil {
		return malformed(err), admission.OutcomeRefused
	}
	isAsset := q.kind.kind != asset.Credential
	if change == (own.Change{}) && !isAsset {
		return admission.Response{}, admission.OutcomeUnchanged
	}
	visit := &visit{ctx: ctx, until: q.clock.Now().Add(patience), namespace: q.Namespace, request: q.Header()}
	claim.Home = q.home(visit)
	var warnings remark.Warnings
	if refusal := q.nameFor(visit, claim, change, &warnings); refusal != nil {
		return q.invalid(metav1.CauseTypeFieldValueDuplicate, *refusal), admission.OutcomeRefused
	}
	if isAsset {
		refusals, more, err := q.check(visit, claim.Home)
		switch {
		case err != nil:
			return malformed(err), admission.OutcomeRefused
		case len(refusals) > 0:
			return q.invalid(metav1.CauseTypeFieldValueInvalid, refusals...), admission.OutcomeRefused
		}
		warnings.AddAll(&more)
	}
	return admission.Response{Warnings: warnings.List()}, admission.OutcomeUnchanged
}

// nameFor says why the object cannot have its new names, or warns of what to mind if it
// can.
func (q *nameInquiry) nameFor(visit *visit, claim catalog.Claim, change own.Change, warnings *remark.Warnings) *own.Refusal {
	if change == (own.Change{}) {
		return nil
	}
	rivals := q.rivals(visit, claim, change)
	if refusal := change.Refuse(q.kind.kind.Word(), claim, rivals); refusal != nil {
		return refusal
	}
	if change.Widened && q.kind.widened != "" {
		warnings.Add("%s", q.kind.widened)
	}
	change.Warn(q.kind.kind.Word(), claim, rivals, warnings)
	return nil
}

// names reads what the object is to be called, and what of it is new.
func (q *nameInquiry) names() (catalog.Claim, own.Change, error) {
	claim, err := q.Object.Claim(q.Namespace)
	if err != nil || q.OldObject == nil {
		return claim, own.Changed(nil, claim), err
	}
	old, err := q.OldObject.Claim(q.Namespace)
	return claim, own.Changed(&old, claim), err
}

// home is the object's namespace, read live if it is not known as a place for such
// objects: the API server may know better. If that cannot be read either, the object
// is somewhere else, which is not refused, and its status will tell.
func (q *nameInquiry) home(visit *visit) credential.Place {
	home, _ := q.kind.known.Place(q.Namespace)
	if home.HoldsCredentials() {
		return home
	}
	namespace, err := q.live.get(visit, types.NamespacedName{Name: q.Namespace}, feed.Namespace())
	if err != nil || namespace == nil {
		return home
	}
	return q.kind.known.Layout().Place(q.Namespace, namespace.GetLabels())
}

// rivals returns the rivals of a claim, those that may refuse it first. These are
// read live, and so is what may be too new for the catalog to know, if one knows
// where it would be: of two objects with one name that come in one apply, the second
// is refused if it is the narrower. Display names are in the catalog alone. What
// cannot be read now is what the catalog knows.
func (q *nameInquiry) rivals(visit *visit, claim catalog.Claim, change own.Change) []catalog.Rival {
	known := q.kind.known.Rivals(q.kind.kind, claim)
	var confirmed []catalog.Rival
	for _, rival := range known {
		if change.Refuses(claim, rival) {
			if now, ok := q.confirm(visit, claim, rival.NamespacedName, &rival); ok {
				confirmed = append(confirmed, now)
			}
		}
	}
	for _, key := range q.perhapsNew(claim, change, known) {
		if now, ok := q.confirm(visit, claim, key, nil); ok {
			confirmed = append(confirmed, now)
		}
	}
	harmless := slices.DeleteFunc(known, func(rival catalog.Rival) bool { return change.Refuses(claim, rival) })
	return append(confirmed, harmless...)
}

// perhapsNew lists where rivals would be that the catalog does not know yet.
func (q *nameInquiry) perhapsNew(claim catalog.Claim, change own.Change, known []catalog.Rival) []types.NamespacedName {
	if !change.Name {
		return nil
	}
	var keys []types.NamespacedName
	for _, namespace := range q.kind.known.HomesOver(claim) {
		key := types.NamespacedName{Namespace: namespace, Name: claim.Name}
		if !slices.ContainsFunc(known, func(rival catalog.Rival) bool { return rival.NamespacedName == key }) {
			keys = append(keys, key)
		}
	}
	return keys
}

// confirm reads one object and says whether it is a rival now. If it cannot be read,
// what was known is.
func (q *nameInquiry) confirm(visit *visit, claim catalog.Claim, key types.NamespacedName, known *catalog.Rival) (catalog.Rival, bool) {
	object, err := q.live.get(visit, key, emptyOf(q.kind.kind))
	switch {
	case err != nil && known != nil:
		return *known, true
	case err != nil || object == nil:
		return catalog.Rival{}, false
	}
	home, _ := q.kind.known.Place(key.Namespace)
	return claim.Rival(claimOf(object, home), object.GetDeletionTimestamp() != nil)
}
