// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// filesInterval is how often files are looked at. It is nothing beside the minute that the kubelet takes to write them.
const filesInterval = 10 * time.Second

// bundleOf returns the certificates in files. A file that is missing, or has something else in it, is an error: who publishes
// half of the CAs takes the other half away.
func bundleOf(files []string) ([]byte, error) {
	var all []byte
	var errs []error
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, fmt.Errorf("reading CAs: %w", err))
			continue
		}
		// Not what is in it: it may be a key by mistake.
		if certificates, complete := parseBundle(content); !complete || len(certificates) == 0 {
			errs = append(errs, fmt.Errorf("reading CAs from %s: it must hold certificates in PEM, and nothing else", file))
		}
		all = slices.Concat(all, content, []byte("\n"))
	}
	certificates, _ := parseBundle(all) // each once
	return encodeBundle(certificates...), errors.Join(errs...)
}

// watchFiles has files reconciled at the start and whenever what is in them changes, or whether they can be read. It polls: a
// mounted Secret is replaced by symbolic links, which is easy to lose track of.
func watchFiles(files []string, interval time.Duration) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		last := contents(files) // before anybody acts on it
		queue.Add(reconcile.Request{})
		go func() {
			ticker := time.NewTicker(interval)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				if now := contents(files); !slices.EqualFunc(last, now, bytes.Equal) {
					last = now
					queue.Add(reconcile.Request{})
				}
			}
		}()
		return nil
	})
}

// contents are those of files, nil for one that cannot be read.
func contents(files []string) [][]byte {
	all := make([][]byte, len(files))
	for i, file := range files {
		all[i], _ = os.ReadFile(file)
	}
	return all
}
