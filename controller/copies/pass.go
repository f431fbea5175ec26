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
	// dispose removes what is to go: Writer.Withdraw, or Writer.Release.
	dispose func(context.Context, Copy) error

	mu      sync.Mutex
	report  Report
	written map[types.NamespacedName]*metav1.PartialObjectMetadata // as the API server answered; nil: gone
}

func newPass(wanted Wanted, dispose func(context.Context, Copy) error) *pass {
	return &pass{
		wanted:  wanted,
		dispose: dispose,
		report:  Report{Outcomes: map[string]Outcome{}},
		written: map[types.NamespacedName]*metav1.PartialObjectMetadata{},
	}
}

// keep takes down that a copy, or its absence, is left as it is.
func (p *pass) keep(step Step) {
	exists := step.Copy.UID != ""
	p.report.Outcomes[step.Namespace] = Outcome{
		Exists:  exists,
		Current: exists && step.Copy.Fingerprint == p.wanted.Fingerprint,
	}
}

// postpone takes down that a step has to wait: for its back-off, or because
// there was no time for it.
func (p *pass) postpone(step Step, last Outcome, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retry(wait)
	if step.Action == Remove {
		p.report.Left = append(p.report.Left, Leftover{step.Copy, last.Reason, last.Message})
		return
	}
	last.Exists = step.Copy.UID != ""
	p.report.Outcomes[step.Namespace] = last
}

func (p *pass) removed(c Copy, outcome Outcome, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retry(wait)
	if !outcome.Current {
		p.report.Left = append(p.report.Left, Leftover{c, outcome.Reason, outcome.Message})
		return
	}
	p.report.Removed = append(p.report.Removed, c)
	p.written[c.NamespacedName] = nil
}

func (p *pass) wrote(target types.NamespacedName, outcome Outcome, secret *metav1.PartialObjectMetadata, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
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
