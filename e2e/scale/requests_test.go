// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// operation is a kind of request.
type operation struct{ verb, resource string }

// requests count what the API server was asked for, by its own account. It counts
// everybody's requests; the benchmarks subtract their own, and there is nobody else.
type requests map[operation]float64

var (
	writes = []string{"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}
	reads  = []string{"GET", "LIST"}

	// written are the resources that Credence writes, but for leases, which every
	// leader renews, and events.
	written = []string{
		"credentials", "secrets", "mutatingwebhookconfigurations", "validatingwebhookconfigurations",
		"deployments", "statefulsets", "daemonsets",
	}
)

var labelPattern = regexp.MustCompile(`\b(verb|resource)="([^"]*)"`)

func (c *cluster) requests(ctx context.Context) (requests, error) {
	text, err := c.clientset.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	counts := requests{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, mebibyte)
	for lines.Scan() {
		labels, ok := strings.CutPrefix(lines.Text(), "apiserver_request_total{")
		if !ok {
			continue
		}
		labels, value, _ := strings.Cut(labels, "} ")
		count, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("reading the API server's metrics: %w", err)
		}
		var of operation
		for _, label := range labelPattern.FindAllStringSubmatch(labels, -1) {
			if label[1] == "verb" {
				of.verb = label[2]
			} else {
				of.resource = label[2]
			}
		}
		counts[of] += count
	}
	return counts, lines.Err()
}

// since subtracts what was counted before.
func (r requests) since(before requests) requests {
	grown := requests{}
	for of, count := range r {
		if count > before[of] {
			grown[of] = count - before[of]
		}
	}
	return grown
}

// sum counts the requests with some verbs for some resources.
func (r requests) sum(verbs, resources []string) (sum float64) {
	for of, count := range r {
		if slices.Contains(verbs, of.verb) && slices.Contains(resources, of.resource) {
			sum += count
		}
	}
	return sum
}

func (r requests) String() string {
	var parts []string
	for _, of := range slices.SortedFunc(maps.Keys(r), func(a, b operation) int {
		return strings.Compare(a.resource+" "+a.verb, b.resource+" "+b.verb)
	}) {
		if of.resource != "" { // such as the metrics themselves
			parts = append(parts, fmt.Sprintf("%s %s %.0f", of.verb, of.resource, r[of]))
		}
	}
	return strings.Join(parts, ", ")
}

// settledWithin bounds every wait for what Credence does.
const settledWithin = 5 * time.Minute

// settle waits until nothing of Credence's has been read or written for a while, and
// returns the count of then.
func (c *cluster) settle(tb testing.TB) (last requests) {
	tb.Helper()
	var since time.Time
	all := append(slices.Clone(reads), writes...)
	err := wait.PollUntilContextTimeout(tb.Context(), c.quiet/8, settledWithin, true, func(ctx context.Context) (bool, error) {
		now, err := c.requests(ctx)
		if err != nil {
			return false, err
		}
		if last == nil || now.since(last).sum(all, written) > 0 {
			since = time.Now()
		}
		last = now
		return time.Since(since) >= c.quiet, nil
	})
	if err != nil {
		tb.Fatalf("waiting until the cluster has settled: %v", err)
	}
	return last
}
