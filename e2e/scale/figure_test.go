// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// figure is one measured number.
type figure struct {
	// unit names it in the output of the benchmark, as in "with/bare" or "s-ready".
	unit string
	// what says what it is, in words.
	what string
	got  float64
	// most is what was promised; nil for what is only of interest.
	most *float64
}

// of is a figure without a promise.
func of(unit, what string, got float64) figure { return figure{unit: unit, what: what, got: got} }

// atMost adds what was promised.
func (f figure) atMost(limit float64) figure {
	f.most = &limit
	return f
}

// held says whether a promise was kept; what was not promised is.
func (f figure) held() bool { return f.most == nil || f.got <= *f.most }

func (f figure) String() string {
	verdict, promise := "      ", ""
	if f.most != nil {
		verdict, promise = "held  ", fmt.Sprintf(" (promised: at most %.4g)", *f.most)
		if !f.held() {
			verdict = "MISSED"
		}
	}
	return fmt.Sprintf("%s %-68s %10.4g %s%s", verdict, f.what, f.got, f.unit, promise)
}

// report measures once in each loop, and tells of the last.
func report(b *testing.B, measure func() []figure) {
	b.Helper()
	var figures []figure
	for b.Loop() {
		figures = measure()
	}
	b.ReportMetric(0, "ns/op") // setting up is most of it, and says nothing
	lines := make([]string, len(figures))
	promised, missed := 0, 0
	for i, f := range figures {
		b.ReportMetric(f.got, f.unit)
		lines[i] = f.String()
		if f.most != nil {
			promised++
		}
		if !f.held() {
			missed++
		}
	}
	size := ""
	if *factor != 1 {
		size = fmt.Sprintf("; the size is %.4g of the full one, so they prove nothing", *factor)
	}
	note(b, "\n%s\n%d of %d promises held%s", strings.Join(lines, "\n"), promised-missed, promised, size)
}

// note tells how a measurement goes. Of the log of a benchmark, go test shows ten
// lines at the end; it is to be seen whole, and at once.
func note(tb testing.TB, format string, arguments ...any) {
	tb.Helper()
	if _, ok := tb.(*testing.B); ok {
		_, _ = fmt.Fprintf(os.Stderr, tb.Name()+": "+format+"\n", arguments...)
		return
	}
	tb.Logf(format, arguments...)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
