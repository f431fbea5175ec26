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

	"github.com/credence-dev/credence/controller/cabundle"
	"github.com/credence-dev/credence/controller/doctor"
	"github.com/credence-dev/credence/controller/progress"
	"github.com/credence-dev/credence/controller/restart"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/feed"
	"github.com/credence-dev/credence/usage"
)

// Options are the parts and settings of the controllers. Only the first three are
// required.
type Options struct {
	// Catalog knows the namespaces and Credentials, and Feed keeps it up to date.
	Catalog *catalog.Catalog
	Feed    *feed.Feed
	// Usage knows who uses what. While it does not, copies on demand stay as they are.
	Usage Index
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
	// Drain is how long nobody must need a copy before it goes. It has to be longer than
	// a pod may take from its admission until it is stored, and a webhook to hear of
	// what changed. The default is DefaultDrain.
	Drain time.Duration
	// Pods asks which live pods refer to a Secret. The default asks the manager's
	// cluster.
	Pods LivePods
	// Restart says whether workloads are restarted that read changed values.
	Restart restart.Settings
	// Workloads follows workloads. Without it nobody deals with WorkloadKinds, nor with
	// annotations that were not carried.
	Workloads Workloads
	// Repair says what is put right that is only told of otherwise.
	Repair Repair
	// Doctor says how often the cluster is examined, and how pods are replaced.
	Doctor doctor.Settings
	// CABundle says which certificates pods that fetch data sources trust.
	CABundle cabundle.Settings
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

// Index knows who uses what, and which pods ask for what. It is package usage's.
type Index interface {
	users.Index
	doctor.Index
}

// DefaultDrain is the API server's own limit of a request, a minute, and that of our
// webhook, 5 s, with 10 s for caches that are behind.
const DefaultDrain = 75 * time.Second

func (o *Options) setDefaults(mgr manager.Manager) (err error) {
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
	o.Drain = cmp.Or(o.Drain, DefaultDrain)
	if o.Pods == nil {
		o.Pods, err = usage.NewPods(mgr.GetConfig())
	}
	return err
}
