// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	utilcache "k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/clock"
)

// How many live reads there may be in a second, and at once after some quiet: in all,
// and on behalf of one namespace, so that one does not use up what all have.
const (
	liveRate             = 100
	liveBurst            = 200
	liveRateInNamespace  = 20
	liveBurstInNamespace = 60

	pacedNamespaces = 4096
	pacedFor        = time.Minute
)

// pace limits how often something is done.
type pace struct {
	clock clock.PassiveClock
	all   *rate.Limiter

	mu         sync.Mutex
	namespaces *utilcache.LRUExpireCache // of namespace, *rate.Limiter
}

func newPace(clock clock.PassiveClock) *pace {
	return &pace{
		clock: clock, all: rate.NewLimiter(liveRate, liveBurst),
		namespaces: utilcache.NewLRUExpireCacheWithClock(pacedNamespaces, clock),
	}
}

// allows counts what is about to be done on behalf of a namespace, and says whether
// it may be.
func (p *pace) allows(namespace string) bool {
	now := p.clock.Now()
	return p.in(namespace).AllowN(now, 1) && p.all.AllowN(now, 1)
}

func (p *pace) in(namespace string) *rate.Limiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	if limiter, ok := p.namespaces.Get(namespace); ok {
		return limiter.(*rate.Limiter)
	}
	limiter := rate.NewLimiter(liveRateInNamespace, liveBurstInNamespace)
	p.namespaces.Add(namespace, limiter, pacedFor)
	return limiter
}
