// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/credence-dev/credence/injector/workload"
	"github.com/credence-dev/credence/usage/object"
)

// Options are the settings of a Follower.
type Options struct {
	// Log takes one line when a kind can be followed, and one when it no longer can.
	Log logr.Logger
	// Registerer takes the metrics; none are kept without one.
	Registerer prometheus.Registerer
	// Kinds of others are followed besides the built-in ones; Add and Remove change which.
	Kinds []workload.Kind
	// Mapper finds the resources of the kinds of others, and is needed only for them. It
	// must find those that come later.
	Mapper meta.RESTMapper
	// RetryBase and RetryMax bound the pause after a failure; 0 means 0.8 and 30
	// seconds.
	RetryBase, RetryMax time.Duration
}

// Follower keeps an index in step with a cluster. It is a Runnable of
// controller-runtime's manager.
type Follower struct {
	index   *Index
	options Options
	builtIn kubernetes.Interface
	others  dynamic.Interface

	mu    sync.Mutex
	kinds []*following
	tasks map[schema.GroupKind]*task
	// ctx is that of Start, nil before.
	ctx     context.Context
	running sync.WaitGroup

	uncarried uncarried
}

// Follow returns what keeps an index in step with a cluster while it runs.
func Follow(config *rest.Config, into *Index, options Options) (*Follower, error) {
	compact := rest.CopyConfig(config)
	compact.ContentType = runtime.ContentTypeProtobuf
	compact.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	builtInClient, err := kubernetes.NewForConfig(compact)
	if err != nil {
		return nil, fmt.Errorf("making a client for workloads: %w", err)
	}
	others, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client for third-party workloads: %w", err)
	}
	if options.RetryBase == 0 {
		options.RetryBase = 800 * time.Millisecond
	}
	if options.RetryMax == 0 {
		options.RetryMax = 30 * time.Second
	}
	f := &Follower{index: into, options: options, builtIn: builtInClient, others: others, tasks: map[schema.GroupKind]*task{}}
	for i := range options.Kinds {
		if err := f.Add(options.Kinds[i]); err != nil {
			return nil, err
		}
	}
	if options.Registerer != nil {
		if err := options.Registerer.Register(&collectorOfMetrics{f}); err != nil {
			return nil, fmt.Errorf("registering the metrics of the usage index: %w", err)
		}
	}
	return f, nil
}

// Start follows the cluster until the context ends. A kind that cannot be followed
// is tried again and again, and holds up no other.
func (f *Follower) Start(ctx context.Context) error {
	f.mu.Lock()
	f.ctx = ctx
	for _, one := range object.BuiltIn {
		f.running.Go(func() { f.run(ctx, f.builtInKind(one)) })
	}
	for _, t := range f.tasks {
		f.begin(t)
	}
	f.mu.Unlock()
	<-ctx.Done()
	f.running.Wait()
	return nil
}

// NeedLeaderElection says that standbys follow too: the next leader must know
// at once.
func (f *Follower) NeedLeaderElection() bool { return false }

// run follows one kind until the context ends.
func (f *Follower) run(ctx context.Context, one *following) {
	f.mu.Lock()
	f.kinds = append(f.kinds, one)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.kinds = slices.DeleteFunc(f.kinds, func(other *following) bool { return other == one })
	}()
	pause := f.pause()
	_ = pause.DelayWithReset(realClock, resetAfter).Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		one.followOnce(ctx)
		return false, nil
	})
}

// resetAfter is how long a kind must be followed before the next failure counts
// as the first.
const resetAfter = 2 * time.Minute

// pause is that between two tries.
func (f *Follower) pause() wait.Backoff {
	return wait.Backoff{Duration: f.options.RetryBase, Cap: f.options.RetryMax, Steps: 64, Factor: 2, Jitter: 1}
}
