// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/credence-dev/credence/controller/progress"
	"github.com/credence-dev/credence/controller/restart"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
)

// Options are the parts and settings of the controllers. Only the first three are
// required.
type Options struct {
	// Catalog knows the namespaces and Credentials, and Feed keeps it up to date.
	Catalog *catalog.Catalog
	Feed    *feed.Feed
	// Usage knows who uses what. While it does not, copies on demand stay as they are.
	Usage users.Index
	// UsageInterval is how often the users of a Credential are counted at most, and
	// UsageLag how often that is told which changes with every rollout: automatic pull
	// secrets, and pods with old values. The defaults are 1 s and 30 s.
	UsageInterval, UsageLag time.Duration
	// APIReader reads without a cache. The default is the manager's.
	APIReader client.Reader
	// Clock tells the time. The default is the system's.
	Clock clock.PassiveClock
	// Concurrency is how many writes of copies may be under way at once. The
	// default is 16.
	Concurrency int
	// Workers is how many Credentials are reconciled at once. The default is 8.
	Workers int
	// RetryBase and RetryMax bound the back-off of a namespace that refuses its
	// copy, or has another Secret in its place. The defaults are 1 s and 2 min.
	RetryBase, RetryMax time.Duration
	// ReleaseStrays lets copies go that the guard against removing very many at once
	// would hold.
	ReleaseStrays bool
	// StrayInterval is how long a copy has to be without a Credential before it goes,
	// and how often what is held is looked at again. The default is 30 s.
	StrayInterval time.Duration
	// Restart says whether workloads are restarted that read changed values.
	Restart restart.Settings
	// Progress takes note of what the controllers finish. The default is one that
	// nobody asks.
	Progress *progress.Monitor
	// Heartbeat is how often the controllers are seen to work, and Resync how often
	// every Credential is looked at although nothing happened. The defaults are 1 min
	// and 1 h.
	Heartbeat, Resync time.Duration
	// Registerer takes the metrics. The default is controller-runtime's registry.
	Registerer prometheus.Registerer
}

func (o *Options) setDefaults(mgr manager.Manager) {
	if o.APIReader == nil {
		o.APIReader = mgr.GetAPIReader()
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Registerer == nil {
		o.Registerer = metrics.Registry
	}
	o.Concurrency = cmp.Or(o.Concurrency, 16)
	o.Workers = cmp.Or(o.Workers, 8)
	o.UsageInterval = cmp.Or(o.UsageInterval, time.Second)
	o.UsageLag = cmp.Or(o.UsageLag, 30*time.Second)
	o.RetryBase = cmp.Or(o.RetryBase, time.Second)
	o.StrayInterval = cmp.Or(o.StrayInterval, 30*time.Second)
	if o.Progress == nil {
		o.Progress = progress.NewMonitor(o.Clock)
	}
	o.Heartbeat = cmp.Or(o.Heartbeat, time.Minute)
	o.Resync = cmp.Or(o.Resync, time.Hour)
	o.RetryMax = cmp.Or(o.RetryMax, 2*time.Minute)
}
