// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"cmp"
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/controller/sighting"
)

// patience is how long a pass goes on, so that its caller can tell of the progress
// and take note of changes.
type patience struct {
	// starts is how long new writes are started, and retries the same for namespaces
	// that failed before.
	starts, retries time.Duration
	// linger is how long to wait for the last answers. A namespace that is slower than
	// that goes on by itself, and is asked about again.
	linger time.Duration
}

var (
	usual = patience{starts: 5 * time.Second, retries: time.Second, linger: time.Second}
	brief = patience{starts: 500 * time.Millisecond, retries: 250 * time.Millisecond, linger: 500 * time.Millisecond}
)

const (
	// soon is when to come back for what there was no time for.
	soon = 100 * time.Millisecond
	// later is when to come back for what has not been answered.
	later = time.Second
)

// Report is what came of a plan.
type Report struct {
	// Outcomes are the namespaces that are to have a copy.
	Outcomes map[string]Outcome
	// Removed are the copies that went, also for a plan before whose report was not
	// to wait for them.
	Removed []Copy
	// Left are the copies that are still to go, and why they are there.
	Left []Leftover
	// RetryAfter is when to come back, zero if there is no need to.
	RetryAfter time.Duration
}

// Leftover is a copy that is to go and is still there.
type Leftover struct {
	Copy
	// Reason and Message say what stands in the way, if anything does: InUse and
	// Draining that it waits for its users.
	Reason, Message string
}

// Waits says whether a copy that is to go waits for its users.
func (l Leftover) Waits() bool {
	return l.Reason == v1alpha1.IssueInUse || l.Reason == v1alpha1.IssueDraining
}

// Spread carries out a plan. Whatever goes wrong in a namespace is in its outcome.
// Namespaces that failed go last, and only when their back-off has passed.
func (w *Writer) Spread(ctx context.Context, wanted Wanted, steps []Step) Report {
	return w.run(ctx, wanted, steps, w.withdraw, usual)
}

// SpreadBriefly carries out as much of a plan as can be done in a second, for a
// caller who has something to tell that does not suffer delay.
func (w *Writer) SpreadBriefly(ctx context.Context, wanted Wanted, steps []Step) Report {
	return w.run(ctx, wanted, steps, w.withdraw, brief)
}

// Abandon carries out a plan and leaves the copies that are to go as ordinary
// Secrets.
func (w *Writer) Abandon(ctx context.Context, wanted Wanted, steps []Step) Report {
	steps = slices.Clone(steps)
	for i := range steps {
		steps[i].AtOnce = true // nobody loses anything
	}
	return w.run(ctx, wanted, steps, w.release, usual)
}

func (w *Writer) withdraw(ctx context.Context, wanted Wanted, step Step) (Outcome, error) {
	switch {
	case step.Action == settle:
		return w.settle(ctx, wanted, step.Copy.NamespacedName)
	case step.AtOnce:
		return Outcome{}, w.remove(ctx, step.Copy)
	}
	return w.Withdraw(ctx, wanted, step.Copy)
}

func (w *Writer) release(ctx context.Context, wanted Wanted, step Step) (Outcome, error) {
	if step.Action == settle {
		return w.settle(ctx, wanted, step.Copy.NamespacedName)
	}
	return Outcome{}, w.Release(ctx, step.Copy)
}

func (w *Writer) run(ctx context.Context, wanted Wanted, steps []Step, dispose disposal, how patience) Report {
	p := newPass(wanted, dispose)
	steps = w.withOwed(wanted, steps)
	p.report.Removed = w.late.take(wanted.UID)
	start := w.Clock.Now()
	for _, due := range w.sort(p, steps) {
		deadline, pools := start.Add(how.starts), []chan struct{}{w.slots}
		if due.last.failures > 0 {
			deadline, pools = start.Add(how.retries), []chan struct{}{w.retries, w.slots}
		}
		release, ok := w.acquire(ctx, deadline, pools...)
		if !ok {
			p.postpone(due.Step, due.last.outcome, soon)
			continue
		}
		if !w.start(p, due, release) {
			release()
			p.postpone(due.Step, due.last.outcome, soon)
		}
	}
	report, written := p.finish(ctx, how.linger)
	w.awaitSighting(ctx, written)
	return report
}

// withOwed adds to a plan what is not settled yet of copies that it says nothing of.
func (w *Writer) withOwed(wanted Wanted, steps []Step) []Step {
	for _, c := range w.owed.all(wanted.UID) {
		if !slices.ContainsFunc(steps, func(s Step) bool { return s.target(wanted) == c.NamespacedName }) {
			steps = append(slices.Clip(steps), Step{Action: settle, Namespace: c.Namespace, Copy: c})
		}
	}
	return steps
}

// start takes a step beside the others, unless the writer has ended.
func (w *Writer) start(p *pass, due dueStep, release func()) bool {
	e := errand{p.wanted.UID, due.target(p.wanted)}
	if !w.errands.begin(e) {
		return false
	}
	p.begin(due)
	go func() {
		defer p.leave()
		defer w.errands.end(e)
		defer release()
		w.take(p, due.Step)
	}()
	return true
}

// dueStep is a step with what came of it before.
type dueStep struct {
	Step
	last attempt
}

// sort takes down the outcome of what needs no request and returns the rest, the
// most promising first.
func (w *Writer) sort(p *pass, steps []Step) []dueStep {
	now := w.Clock.Now()
	var due []dueStep
	concerned := make(map[types.NamespacedName]bool, len(steps))
	leaving := map[types.NamespacedName]bool{}
	for _, step := range steps {
		target := step.target(p.wanted)
		last := w.backoff.get(p.wanted.UID, target)
		concerned[target] = true
		if step.Action == Remove || step.Action == Rewrite {
			leaving[target] = true
		}
		switch {
		case step.Action == Keep, step.Action == Rewrite && w.settled.has(p.wanted, step.Copy):
			p.keep(step)
			w.backoff.note(p.wanted.UID, target, Outcome{Current: true})
		case step.Action == Wait:
			p.report.Outcomes[step.Namespace] = Outcome{Reason: v1alpha1.IssueNameTaken,
				Message: "the copy of another credential of this name is still there"}
		case w.errands.has(errand{p.wanted.UID, target}):
			p.postpone(step, last.outcome, later)
		case w.postponed(p, step):
		case now.Before(last.retryAt):
			p.postpone(step, last.outcome, last.retryAt.Sub(now))
		default:
			due = append(due, dueStep{step, last})
		}
	}
	w.backoff.retain(p.wanted.UID, concerned)
	w.settled.retain(p.wanted.UID, concerned)
	w.drain.retain(p.wanted.UID, leaving)
	slices.SortStableFunc(due, func(a, b dueStep) int { return cmp.Compare(a.last.failures, b.last.failures) })
	return due
}

// postponed takes down that a copy which is to go waits for its users, if that is known
// without a request.
func (w *Writer) postponed(p *pass, step Step) bool {
	if step.Action != Remove || step.AtOnce {
		return false
	}
	hold, waits := w.drain.waits(p.wanted.UID, step.Copy)
	if waits {
		p.postpone(step, hold, hold.After)
	}
	return waits
}

// acquire takes a slot of each pool, waiting until the deadline, and says whether
// it got them.
func (w *Writer) acquire(ctx context.Context, deadline time.Time, pools ...chan struct{}) (release func(), ok bool) {
	timer := time.NewTimer(max(0, deadline.Sub(w.Clock.Now())))
	defer timer.Stop()
	taken := 0
	release = func() {
		for _, pool := range pools[:taken] {
			<-pool
		}
	}
	for _, pool := range pools {
		select {
		case pool <- struct{}{}:
			taken++
		case <-timer.C:
			release()
			return nil, false
		case <-ctx.Done():
			release()
			return nil, false
		}
	}
	return release, true
}

// take takes one step and notes how it went. It may outlast its pass.
func (w *Writer) take(p *pass, step Step) {
	ctx, cancel := context.WithTimeout(w.errands.life, 2*writeTimeout)
	defer cancel()
	target := step.target(p.wanted)
	if step.Action == Remove || step.Action == settle {
		outcome, err := p.dispose(ctx, p.wanted, step)
		outcome.Current = err == nil && outcome.Reason == ""
		if err != nil && !apierrors.IsConflict(err) {
			outcome = p.wanted.refused(err)
		}
		if told := p.removed(step.Copy, outcome, w.backoff.note(p.wanted.UID, target, outcome)); !told && outcome.Current {
			w.late.note(p.wanted.UID, step.Copy)
		}
		return
	}
	var outcome Outcome
	var secret *metav1.PartialObjectMetadata
	if step.Action == Create {
		outcome, secret = w.create(ctx, p.wanted, step.Namespace)
	} else {
		outcome, secret = w.rewrite(ctx, p.wanted, step.Copy)
	}
	p.wrote(target, outcome, secret, w.backoff.note(p.wanted.UID, target, outcome))
}

// awaitSighting waits until the informer shows what was written.
func (w *Writer) awaitSighting(ctx context.Context, written map[types.NamespacedName]*metav1.PartialObjectMetadata) {
	sighting.Await(ctx, func(ctx context.Context) bool {
		for key, secret := range written {
			seen := Secret()
			if err := w.Cache.Get(ctx, key, seen); client.IgnoreNotFound(err) == nil && !shows(seen, secret) {
				return false
			}
			delete(written, key)
		}
		return true
	})
}

// shows says whether what the cache has is what was written, or newer.
func shows(seen, written *metav1.PartialObjectMetadata) bool {
	if written == nil {
		return seen.UID == ""
	}
	return seen.UID != "" && sighting.Reached(seen.ResourceVersion, written.ResourceVersion)
}
