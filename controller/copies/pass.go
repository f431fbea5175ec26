// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// pass is one run through a plan.
type pass struct {
	wanted Wanted
	// dispose removes what is to go, or says why that has to wait.
	dispose disposal

	mu      sync.Mutex
	report  Report
	written map[types.NamespacedName]*metav1.PartialObjectMetadata // as the API server answered; nil: gone
	// open are the steps that were begun and have not told yet what came of them. Once
	// the pass is over, that is the next one's to tell.
	open map[types.NamespacedName]dueStep
	over bool
	// underway counts the steps that have not left yet: they leave after they told, and
	// when the next pass may take the same.
	underway int
	ended    chan struct{} // closed when the last has left, if that is asked for
}

// disposal is how copies go.
type disposal func(context.Context, Wanted, Step) (Outcome, error)

func newPass(wanted Wanted, dispose disposal) *pass {
	return &pass{
		wanted:  wanted,
		dispose: dispose,
		report:  Report{Outcomes: map[string]Outcome{}},
		written: map[types.NamespacedName]*metav1.PartialObjectMetadata{},
		open:    map[types.NamespacedName]dueStep{},
	}
}

// begin takes down that a step is being taken.
func (p *pass) begin(due dueStep) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[due.target(p.wanted)] = due
	p.underway++
}

// end takes down that a step was taken, and says whether there is still somebody
// to tell. The caller holds the lock.
func (p *pass) end(target types.NamespacedName) bool {
	delete(p.open, target)
	return !p.over
}

// leave takes down that nothing of a step is under way any more.
func (p *pass) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.underway--
	if p.underway == 0 && p.ended != nil {
		close(p.ended)
		p.ended = nil
	}
}

// finish waits a moment for what is still open and returns the report, with what
// was written.
func (p *pass) finish(ctx context.Context, linger time.Duration) (Report, map[types.NamespacedName]*metav1.PartialObjectMetadata) {
	ended := make(chan struct{})
	p.mu.Lock()
	if p.underway == 0 {
		close(ended)
	} else {
		p.ended = ended
	}
	p.mu.Unlock()

	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	for _, due := range p.open {
		p.delay(due.Step, due.last.outcome, later)
	}
	return p.report, p.written
}

// keep takes down that a copy, or its absence, is left as it is.
func (p *pass) keep(step Step) {
	exists := step.Copy.UID != ""
	p.report.Outcomes[step.Namespace] = Outcome{
		Exists:  exists,
		Current: exists && step.Copy.Fingerprint == p.wanted.Fingerprint,
	}
}

// postpone takes down that a step has to wait: for its back-off, because there was
// no time for it, or for an answer.
func (p *pass) postpone(step Step, last Outcome, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay(step, last, wait)
}

// delay is postpone for a caller that holds the lock.
func (p *pass) delay(step Step, last Outcome, wait time.Duration) {
	p.retry(wait)
	if step.Action == Remove || step.Action == settle {
		p.report.Left = append(p.report.Left, Leftover{step.Copy, last.Reason, last.Message})
		return
	}
	last.Exists = step.Copy.UID != ""
	p.report.Outcomes[step.Namespace] = last
}

// removed takes down what came of a removal, and says whether the report has it.
func (p *pass) removed(c Copy, outcome Outcome, wait time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.end(c.NamespacedName) {
		return false
	}
	p.retry(wait)
	if !outcome.Current {
		p.report.Left = append(p.report.Left, Leftover{c, outcome.Reason, outcome.Message})
		return true
	}
	p.report.Removed = append(p.report.Removed, c)
	p.written[c.NamespacedName] = nil
	return true
}

func (p *pass) wrote(target types.NamespacedName, outcome Outcome, secret *metav1.PartialObjectMetadata, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.end(target) {
		return
	}
	p.retry(wait)
	p.report.Outcomes[target.Namespace] = outcome
	if secret != nil {
		p.written[target] = secret
	}
}

// retry makes sure that the caller comes back in time.
func (p *pass) retry(after time.Duration) {
	if after > 0 && (p.report.RetryAfter == 0 || after < p.report.RetryAfter) {
		p.report.RetryAfter = after
	}
}
