// SPDX-License-Identifier: Apache-2.0

package certmanager

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// cert-manager renews what Credence serves with, while pods are created: not one
// creation fails, and not one of those who connect anew meanwhile, trusting what is
// published at that moment. In the end every pod of Credence serves with what is new.
func TestRenewalUnderLoad(t *testing.T) {
	w := newWorld(t)
	w.eventually("every webhook has a bundle", func(ctx context.Context) (bool, error) {
		entries, err := w.entries(ctx)
		for _, entry := range entries {
			if len(entry.CABundle) == 0 {
				return false, nil
			}
		}
		return len(entries) > 0, err
	})
	pod := w.pod("real")
	w.must(w.client.Create(w.Context(), pod))
	if !injected(pod) {
		t.Error("a pod was admitted without its credential")
	}

	backends := w.backends()
	load := w.startLoad(backends)
	w.eventually("pods are created", load.another(20))
	var renewed [][]byte
	for _, secret := range w.leaves() {
		renewed = append(renewed, w.renew(secret))
	}
	w.eventually("every pod serves with a renewed certificate", func(context.Context) (bool, error) {
		for _, b := range backends {
			served, _ := load.served.Load(b.pod)
			if leaf, _ := served.([]byte); !slices.ContainsFunc(renewed, func(one []byte) bool { return bytes.Equal(one, leaf) }) {
				return t.Failed(), nil
			}
		}
		return true, nil
	})
	w.eventually("pods are created under it", load.another(200))
	load.stop()
	t.Logf("%d pods were created, %d connections made", load.created.Load(), load.connections.Load())
}

// load is what goes on during a renewal.
type load struct {
	*world
	created, connections atomic.Int64
	// served is what each pod of Credence showed last, by its name.
	served sync.Map
	cancel context.CancelFunc
	all    sync.WaitGroup
}

func (l *load) stop() {
	l.cancel()
	l.all.Wait()
}

// another says whether so many more pods were created since it was made.
func (l *load) another(pods int64) func(context.Context) (bool, error) {
	before := l.created.Load()
	return func(context.Context) (bool, error) { return l.created.Load() >= before+pods || l.Failed(), nil }
}

// startLoad creates pods, and connects to every backend anew all the time. The pods are
// dry runs, which admission is asked about like all others: nothing has to run them.
func (w *world) startLoad(backends []backend) *load {
	w.Helper()
	l := &load{world: w}
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(w.Context())
	w.Cleanup(l.stop)
	for worker := range 4 {
		l.all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				p := w.pod(fmt.Sprintf("p-%d-%d", worker, i))
				if err := w.client.Create(context.WithoutCancel(ctx), p, client.DryRunAll); err != nil {
					w.Errorf("a creation failed: %v", err)
					return
				}
				if !injected(p) {
					w.Error("a pod was admitted without its credential")
				}
				l.created.Add(1)
			}
		})
	}
	l.all.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			l.connectToAll(ctx, backends)
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return l
}

// connectToAll connects for every entry. What only the way there could not do is no
// fault of the certificates: then the pod has shown nothing.
func (l *load) connectToAll(ctx context.Context, backends []backend) {
	entries, err := l.entries(ctx)
	if err != nil && ctx.Err() == nil {
		l.Errorf("reading the webhook configurations: %v", err)
	}
	for _, entry := range entries {
		for _, b := range backends {
			if b.service != entry.Service.Name {
				continue
			}
			leaf, err := connect(ctx, entry, b.address)
			if distrust := (*tls.CertificateVerificationError)(nil); errors.As(err, &distrust) {
				l.Errorf("who trusts what is published cannot connect to pod %s: %v", b.pod, distrust)
			}
			if err == nil {
				l.served.Store(b.pod, leaf.Raw)
				l.connections.Add(1)
			}
		}
	}
}
