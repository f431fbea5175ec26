// SPDX-License-Identifier: Apache-2.0

package carry

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage"
)

// memory is what was told and done, by workload. It is of this process: another leader
// tells once more.
type memory struct {
	mu    sync.Mutex
	told  map[types.UID]string
	tries map[types.UID]try
}

// try is what was last carried to a workload, when, and how often that.
type try struct {
	what  string
	at    time.Time
	count int
}

// tell notes what is told of a workload, and says whether that is news.
func (m *memory) tell(uid types.UID, what string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.told == nil {
		m.told = map[types.UID]string{}
	}
	news := m.told[uid] != what
	m.told[uid] = what
	return news
}

// keep forgets what was told of workloads that are carried now, so that it is told
// again should it come again.
func (m *memory) keep(uncarried []usage.Uncarried) {
	still := map[types.UID]bool{}
	for _, one := range uncarried {
		still[one.UID] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for uid := range m.told {
		if !still[uid] {
			delete(m.told, uid)
		}
	}
}

// carried notes that it was done. That it was is forgotten after long.
func (m *memory) carried(uid types.UID, what string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tries == nil {
		m.tries = map[types.UID]try{}
	}
	for other, t := range m.tries {
		if now.Sub(t.at) > 2*longest {
			delete(m.tries, other)
		}
	}
	count := 1
	if before := m.tries[uid]; before.what == what {
		count += before.count
	}
	m.tries[uid] = try{what, now, count}
}

// longest is how long somebody who takes it back is let be at most.
const longest = 12 * time.Hour

// pause is how long a workload is to be let be, because somebody took back what was
// carried: each time twice as long.
func (m *memory) pause(uid types.UID, what string, now time.Time, patience time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, known := m.tries[uid]
	if !known || t.what != what {
		return 0
	}
	for range min(t.count-1, 16) {
		patience *= 2
	}
	return min(patience, longest) - now.Sub(t.at)
}
