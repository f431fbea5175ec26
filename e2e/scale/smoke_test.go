// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"math"
	"testing"
	"time"
)

// The benchmarks measure something: each is tried out at a size that says nothing
// about Credence. That a benchmark that is run once a month still works is worth
// the seconds.
func TestBenchmarks(t *testing.T) {
	c := start(t)
	c.quiet = time.Second
	for name, measure := range map[string]func(testing.TB) []figure{
		"spread":   func(tb testing.TB) []figure { return c.measureSpread(tb, 5, 1) },
		"requests": func(tb testing.TB) []figure { return c.measureRequests(tb, 5) },
		"foreign Secrets": func(tb testing.TB) []figure {
			return c.measureForeignSecrets(tb, foreignSize{projects: 3, secrets: 10, settle: time.Second})
		},
		"pods": func(tb testing.TB) []figure {
			return c.measurePods(tb, podsSize{projects: 3, pods: 60, credentials: 12, admissions: 10, settle: time.Second})
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range measure(t) {
				t.Logf("%s: %.4g %s", f.what, f.got, f.unit) // held or missed says nothing at this size
				if math.IsNaN(f.got) || math.IsInf(f.got, 0) || f.got < 0 {
					t.Errorf("%s: %v is no measurement", f.what, f.got)
				}
			}
		})
	}
}
