// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/credence-dev/credence/usage"
)

// warnedIndex is an index in which somebody was warned.
type warnedIndex struct {
	Index
	list []usage.Warned
}

func (w *warnedIndex) Warned() []usage.Warned { return w.list }

func warnedOf(namespace, name, warnings string) usage.Warned {
	return usage.Warned{
		Workload: usage.Workload{APIVersion: "apps/v1", Kind: "Deployment", NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}, UID: types.UID("uid-" + name)},
		Warnings: warnings,
	}
}

// TestRepeatWarnings: each set of warnings is told once at a workload, by the leader.
func TestRepeatWarnings(t *testing.T) {
	old, one, other := warnedOf("team-a", "old", "before"), warnedOf("team-a", "web", "first\nsecond"), warnedOf("team-a", "web", "third")
	outside, late := warnedOf("outside", "web", "no project"), warnedOf("team-a", "late", "long ago")
	const (
		toldOne   = "Deployment web Warning InjectionWarning Inject: its pods were injected with warnings: first; second"
		toldOther = "Deployment web Warning InjectionWarning Inject: its pods were injected with warnings: third"
	)
	clock, events, elected := clocktesting.NewFakePassiveClock(time.Now()), &notebook{}, make(chan struct{})
	index := &warnedIndex{}
	r := &repeater{index: index, catalog: shared(t).Catalog, teller: teller{recorder: events}, clock: clock, elected: elected}
	for _, step := range []struct {
		what  string
		after time.Duration
		lead  bool
		list  []usage.Warned
		want  []string
	}{
		{"a standby", 0, false, []usage.Warned{old}, nil},
		{"that learns more", time.Hour, false, []usage.Warned{old, late}, nil},
		{"much later", 2 * handover, false, []usage.Warned{old, late, one}, nil},
		{"it leads", handover / 2, true, []usage.Warned{old, late, one}, []string{toldOne}},
		{"again", time.Second, false, []usage.Warned{old, late, one, outside}, nil},
		{"something else", time.Second, false, []usage.Warned{old, one, other, outside}, []string{toldOther}},
		{"none", time.Hour, false, nil, nil},
		{"the next run of a CronJob", time.Hour, false, []usage.Warned{one}, nil},
		{"none for long", remembered + time.Second, false, nil, nil},
		{"after long", time.Second, false, []usage.Warned{one}, []string{toldOne}},
	} {
		clock.SetTime(clock.Now().Add(step.after))
		if step.lead {
			close(elected)
		}
		index.list = step.list
		r.look()
		if diff := cmp.Diff(step.want, events.take()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
	}
}
