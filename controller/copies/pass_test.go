// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestShows(t *testing.T) {
	secret := func(uid types.UID, version string) *metav1.PartialObjectMetadata {
		s := Secret()
		s.UID, s.ResourceVersion = uid, version
		return s
	}
	nothing := Secret()
	for name, test := range map[string]struct {
		seen, written *metav1.PartialObjectMetadata
		want          bool
	}{
		"not yet created":   {nothing, secret("1", "9"), false},
		"created":           {secret("1", "9"), secret("1", "9"), true},
		"not yet written":   {secret("1", "9"), secret("1", "10"), false},
		"newer":             {secret("1", "11"), secret("1", "10"), true},
		"removed":           {nothing, nil, true},
		"not yet removed":   {secret("1", "9"), nil, false},
		"unknown versions":  {secret("1", "x"), secret("1", "y"), true},
		"made again, newer": {secret("2", "12"), secret("1", "10"), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := shows(test.seen, test.written); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
