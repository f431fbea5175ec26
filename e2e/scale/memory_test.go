// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/credence-dev/credence/e2e/local"
)

const mebibyte = 1 << 20

// memory is what a process holds, in bytes, as Linux tells it: see proc_pid_status(5).
type memory struct {
	// resident is what it holds now, peak the most that it ever held.
	resident, peak float64
	// file is the part of resident that is mapped from files, which is the program
	// itself. The kernel takes it back when it needs to.
	file float64
}

// memoryOf reads what a process holds.
func memoryOf(process *local.Process) (m memory, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process.PID()))
	if err != nil {
		return memory{}, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[2] != "kB" {
			continue
		}
		amount, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			return memory{}, fmt.Errorf("reading %q: %w", line, err)
		}
		switch fields[0] {
		case "VmRSS:":
			m.resident = amount * 1024
		case "VmHWM:":
			m.peak = amount * 1024
		case "RssFile:":
			m.file = amount * 1024
		}
	}
	return m, nil
}

// observe looks at what a process holds for a while and returns the most of it.
func observe(tb testing.TB, process *local.Process, period time.Duration) (most memory) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), period)
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, min(time.Second, period), true, func(context.Context) (bool, error) {
		now, err := memoryOf(process)
		if now.resident > most.resident {
			most.resident, most.file = now.resident, now.file
		}
		most.peak = max(most.resident, now.peak) // which the kernel brings up to date from time to time
		return false, err
	})
	if most.resident == 0 {
		tb.Fatalf("reading the memory of the process: %v", err)
	}
	return most
}

// memoryFigures are those of a process: what it holds once it has settled, and the
// most it ever held. Both are held to the same promise, because a limit on memory
// knows no difference.
func memoryFigures(tb testing.TB, name string, process *local.Process, settle time.Duration, limit float64) []figure {
	tb.Helper()
	m := observe(tb, process, settle)
	note(tb, "the %s holds %.1f MiB, of which %.1f MiB are mapped files; Go's heap: %s",
		name, m.resident/mebibyte, m.file/mebibyte, heapOf(tb, process))
	return []figure{
		of("MiB-"+name, "memory of the "+name+", settled", m.resident/mebibyte).atMost(limit),
		of("MiB-"+name+"-peak", "memory of the "+name+", the most since it started", m.peak/mebibyte).atMost(limit),
	}
}

var heapMetric = regexp.MustCompile(`(?m)^go_memstats_(heap_alloc|heap_inuse|heap_idle|heap_released|next_gc|stack_inuse|sys)_bytes (\S+)$`)

// heapOf is what Go's runtime says, to see what the rest goes to.
func heapOf(tb testing.TB, process *local.Process) string {
	tb.Helper()
	text, err := process.Metrics(tb.Context())
	if err != nil {
		return err.Error()
	}
	var parts []string
	for _, match := range heapMetric.FindAllStringSubmatch(string(text), -1) {
		bytes, err := strconv.ParseFloat(match[2], 64)
		if err == nil {
			parts = append(parts, fmt.Sprintf("%s %.1f MiB", match[1], bytes/mebibyte))
		}
	}
	return strings.Join(parts, ", ")
}
