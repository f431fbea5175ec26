// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/recorder"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage/object"
)

// Reasons and the action of the events that tell of restarts.
const (
	eventRestarted  = "RestartedForCredential"
	eventReverted   = "RestartReverted"
	eventRefused    = "RestartRefused"
	eventNotEnabled = "RestartsNotEnabled"

	actionRestart = "Restart"
)

func names(changes []change) []string {
	var names []string
	for _, c := range changes {
		names = append(names, c.credential.Name)
	}
	return names
}

// list names credentials in words.
func list(changes []change) string {
	if all := names(changes); len(all) != 1 {
		return "credentials " + strings.Join(all, ", ")
	}
	return "credential " + changes[0].credential.Name
}

func (r *reconciler) tellRestarted(t *target, due []change) {
	note := "restarted for new values of " + list(due)
	if t.holds != "" {
		note += "; " + t.holds
	}
	r.recorder.Eventf(t.Object, nil, corev1.EventTypeNormal, eventRestarted, actionRestart, "%s", note)
}

// tellReverted tells the owners of the workload, and those of the credentials.
func (r *reconciler) tellReverted(t *target, reverted []change) {
	by := "its pod template was reset"
	if owner := object.Controller(t); owner != nil {
		by = fmt.Sprintf("%s %s reset its pod template", owner.Kind, owner.Name)
	}
	r.recorder.Eventf(t.Object, nil, corev1.EventTypeWarning, eventReverted, actionRestart,
		"%s, which takes back the restart for %s; it is not tried again, and pods keep the old values until they are replaced", by, list(reverted))
	for _, c := range reverted {
		r.recorder.Eventf(c.of, nil, corev1.EventTypeWarning, eventReverted, actionRestart,
			"%s %s/%s could not be restarted: %s; its pods keep the old values until they are replaced", t.kind, t.GetNamespace(), t.GetName(), by)
	}
}

// notices tell of credentials that ask for restarts where those are not enabled.
// They are a part of the leader only, and tell of changes, so that nothing is told
// again when a process starts.
type notices struct {
	feed     *feed.Feed
	recorder recorder.EventRecorder
}

// Start implements manager.Runnable.
func (n *notices) Start(ctx context.Context) error {
	n.feed.Notify(func(change feed.Change) {
		c, ok := change.After.(*v1alpha1.Credential)
		if ok && ctx.Err() == nil && asksInVain(change.Before, c) {
			n.recorder.Eventf(c, nil, corev1.EventTypeWarning, eventNotEnabled, actionRestart,
				"rotation.restart is set, but restarts are not enabled: pods that read the credential through environment variables keep the old values until they are replaced. The chart's value rotation.restarts enables restarts")
		}
	})
	<-ctx.Done()
	return nil
}

// asksInVain says whether a credential begins to ask for restarts, or would have
// some now.
func asksInVain(before any, after *v1alpha1.Credential) bool {
	wants := func(c *v1alpha1.Credential) bool {
		return c.Spec.Rotation != nil && c.Spec.Rotation.Restart && c.DeletionTimestamp.IsZero()
	}
	old, known := before.(*v1alpha1.Credential)
	return wants(after) && (!known || !wants(old) || !old.Status.RotatedAt.Equal(after.Status.RotatedAt))
}
