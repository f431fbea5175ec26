// SPDX-License-Identifier: Apache-2.0

package object

import (
	"encoding/binary"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// StartTimes are Unix seconds, four bytes for each container that reads a Secret
// through environment variables; zero while it does not run. Empty if none runs.
type StartTimes string

// MaxReaders bounds how many reading containers of a pod are told apart. The rest
// share the last place, with the oldest of their times.
const MaxReaders = 64

// Earliest returns the first of the times of some containers, 0 if none runs.
func (t StartTimes) Earliest(readers uint64) (first uint32) {
	for i := 0; len(t) >= 4; i, t = i+1, t[4:] {
		if readers&(1<<i) != 0 {
			first = older(first, binary.BigEndian.Uint32([]byte(t[:4])))
		}
	}
	return first
}

// older returns the earlier of two times, 0 being none.
func older(a, b uint32) uint32 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// startedIn reads the times of a pod's reading containers from its status.
func startedIn(status *corev1.PodStatus, readers []string) StartTimes {
	if len(readers) == 0 {
		return ""
	}
	var times [MaxReaders]uint32
	runs := false
	places := newPlaces(readers)
	for _, list := range [][]corev1.ContainerStatus{status.InitContainerStatuses, status.ContainerStatuses, status.EphemeralContainerStatuses} {
		for i := range list {
			running := list[i].State.Running
			if running == nil || running.StartedAt.IsZero() {
				continue
			}
			if at := places.of(list[i].Name); at >= 0 {
				times[at] = older(times[at], uint32(running.StartedAt.Unix()))
				runs = true
			}
		}
	}
	if !runs {
		return ""
	}
	encoded := make([]byte, 0, 4*MaxReaders)
	for _, started := range times[:min(len(readers), MaxReaders)] {
		encoded = binary.BigEndian.AppendUint32(encoded, started)
	}
	return StartTimes(encoded)
}

// places are those of containers in StartTimes.
type places struct {
	own    []string
	shared map[string]struct{}
}

// newPlaces makes them for reading containers. There may be thousands, with as many
// states, so those beyond the first are not gone through for each.
func newPlaces(readers []string) places {
	p := places{own: readers[:min(len(readers), MaxReaders-1)]}
	if rest := readers[len(p.own):]; len(rest) > 0 {
		p.shared = make(map[string]struct{}, len(rest))
		for _, name := range rest {
			p.shared[name] = struct{}{}
		}
	}
	return p
}

// of returns the place of a container, -1 if it reads nothing.
func (p places) of(name string) int {
	if _, shared := p.shared[name]; shared {
		return MaxReaders - 1
	}
	return slices.Index(p.own, name)
}
