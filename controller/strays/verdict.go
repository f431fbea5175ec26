// SPDX-License-Identifier: Apache-2.0

package strays

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Reasons why strays are held: of the event, and of the metric.
const (
	heldResourceMissing     = "ResourceMissing"
	heldResourceTerminating = "ResourceTerminating"
	heldNoCredentials       = "NoCredentials"
	heldTooMany             = "TooManyStrays"
)

// Other reasons and actions of events.
const (
	eventReleased = "StraysReleased"
	actionHold    = "Hold"
)

// Up to maxStrays may go at a time, and more if they are not more than
// maxStrayPercent of all copies.
const (
	maxStrays       = 10
	maxStrayPercent = 20
)

// evidence is what strays are judged by.
type evidence struct {
	resource resourceState
	// credentials are all that exist, strays and copies the Secrets of each kind.
	credentials, strays, copies int
	// removed are the strays that went a short time ago.
	removed int
}

// pastWindow is how long strays that went count with those that are to go: a
// script that takes one Credential after the other is stopped too.
const pastWindow = 10 * time.Minute

// recent counts what was removed a short time ago.
type recent []removal

type removal struct {
	at     time.Time
	copies int
}

func (r *recent) add(at time.Time, copies int) { *r = append(*r, removal{at, copies}) }

func (r *recent) count(now time.Time) int {
	count, kept := 0, (*r)[:0]
	for _, one := range *r {
		if now.Sub(one.at) < pastWindow {
			kept = append(kept, one)
			count += one.copies
		}
	}
	*r = kept
	return count
}

// judge returns why strays are held, which is empty if they are not, and says so
// in words. It is pure.
func judge(e evidence) (reason, message string) {
	strays, all := e.strays+e.removed, e.copies+e.removed
	what := fmt.Sprintf("%d of %d copies have no Credential any more", e.strays, e.copies)
	switch {
	case e.resource == resourceMissing:
		reason, what = heldResourceMissing, what+", and the resource "+ResourceName+" does not exist"
	case e.resource == resourceTerminating:
		reason, what = heldResourceTerminating, what+", and the resource "+ResourceName+" is being deleted"
	case e.credentials == 0:
		reason, what = heldNoCredentials, what+", and the cluster has no Credential at all"
	case strays > maxStrays && strays*100 > all*maxStrayPercent:
		reason = heldTooMany
	default:
		return "", ""
	}
	return reason, what + "; nothing is removed. Create the Credentials again and they take their copies back. To have the copies removed, " + HowToRelease
}

// HowToRelease is what an administrator does who wants copies to go.
const HowToRelease = "annotate Lease " + LeaseName + " in the namespace of Credence with " + v1alpha1.AnnotationReleaseStrays +
	" and a time within the next hour, such as 2027-06-30T12:00:00Z, until which nothing is held; or start the controller with --release-strays"

// tell sets the metric and, if the verdict is another than before, tells of it.
func (r *remover) tell(ctx context.Context, reason, message string, e evidence) error {
	r.count(reason, e.strays)
	if reason == r.verdict {
		return nil
	}
	lease, err := r.guard.leaseNow(ctx)
	if err != nil {
		return err
	}
	r.verdict = reason
	if reason == "" {
		log.FromContext(ctx).Info("Holding no copies any more", "strays", e.strays, "copies", e.copies)
		r.recorder.Eventf(lease, nil, corev1.EventTypeNormal, eventReleased, actionHold, "no copies are held any more; %d are to be removed", e.strays)
		return nil
	}
	log.FromContext(ctx).Info("Holding copies that have no Credential any more", "reason", reason, "strays", e.strays, "copies", e.copies, "credentials", e.credentials)
	r.recorder.Eventf(lease, nil, corev1.EventTypeWarning, reason, actionHold, "%s", message)
	return nil
}

func (r *remover) count(reason string, strays int) {
	for _, each := range []string{heldResourceMissing, heldResourceTerminating, heldNoCredentials, heldTooMany} {
		count := 0
		if each == reason {
			count = strays
		}
		r.held.WithLabelValues(each).Set(float64(count))
	}
}
