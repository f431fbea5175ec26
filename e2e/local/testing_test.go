// SPDX-License-Identifier: Apache-2.0

package local_test

import (
	"context"
	"errors"
	"testing"

	"github.com/credence-dev/credence/e2e/local"
)

// TestStatusOfTests: what does not start, or does not end as it should, is a failure
// even where all tests passed.
func TestStatusOfTests(t *testing.T) {
	for name, test := range map[string]struct {
		code int
		err  error
		want int
	}{
		"all is well":           {0, nil, 0},
		"a test failed":         {2, nil, 2},
		"the end failed":        {0, errors.New("this is written down: it is a test"), 1},
		"everything went wrong": {2, errors.New("this is written down, too"), 2},
	} {
		t.Run(name, func(t *testing.T) {
			if got := local.Main(func(context.Context) (int, error) { return test.code, test.err }); got != test.want {
				t.Errorf("the exit status is %d, want %d", got, test.want)
			}
		})
	}
}
