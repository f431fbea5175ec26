// SPDX-License-Identifier: Apache-2.0

package restart

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// answer is what a workload was last restarted for, of one credential.
type answer struct {
	// Fingerprint is that of the values, ChangedAt when they came.
	Fingerprint string    `json:"fingerprint"`
	ChangedAt   time.Time `json:"changedAt"`
	// At is when the restart was asked for.
	At time.Time `json:"at"`
	// Reverted says that somebody took it back, which was told.
	Reverted bool `json:"reverted,omitempty"`
}

// answers says whether a change was answered. Another key gives another fingerprint
// to the same values, so that only the time of the change tells; of one key, other
// values of the same second are another change.
func (a answer) answers(c change) bool {
	switch {
	case a.Fingerprint == "":
		return false
	case a.Fingerprint != c.fingerprint && keyOf(a.Fingerprint) == keyOf(c.fingerprint):
		return a.ChangedAt.After(c.at)
	}
	return !a.ChangedAt.Before(c.at)
}

// keyOf returns the id of a fingerprint's key.
func keyOf(fingerprint string) string {
	id, _, _ := strings.Cut(fingerprint, ":")
	return id
}

// record is what a workload was restarted for, by "<namespace>/<name>" of the
// credential. It stands in an annotation of the workload itself and not of its pod
// template: who resets the template leaves that alone, since Kubernetes' own
// controllers keep annotations there too.
type record map[string]answer

// readRecord reads an annotation. Whatever people write there counts as nothing.
func readRecord(value string) record {
	var r record
	if json.Unmarshal([]byte(value), &r) != nil || r == nil {
		return record{}
	}
	return r
}

func (r record) String() string {
	text, err := json.Marshal(map[string]answer(r))
	if err != nil { // only a year beyond 9999 could fail
		return "{}"
	}
	return string(text)
}

func (r record) of(credential types.NamespacedName) answer { return r[credential.String()] }

// with returns a record that has what is newer in another.
func (r record) with(other record) record {
	merged := record{}
	for key, one := range r {
		merged[key] = one
	}
	for key, one := range other {
		if mine, ok := merged[key]; !ok || mine.ChangedAt.Before(one.ChangedAt) || mine.ChangedAt.Equal(one.ChangedAt) && one.Reverted {
			merged[key] = one
		}
	}
	return merged
}

// readFingerprints reads the annotation of a pod template.
func readFingerprints(value string) []string {
	var list []string
	for one := range strings.SplitSeq(value, ",") {
		if one = strings.TrimSpace(one); one != "" {
			list = append(list, one)
		}
	}
	return list
}

// writeFingerprints is the opposite. What one credential comes to is its
// fingerprint and nothing else.
func writeFingerprints(list []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(list))), ",")
}
