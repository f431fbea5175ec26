// SPDX-License-Identifier: Apache-2.0

package apitest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/credence-dev/credence/apitest"
)

// watched is a test that notes how it ends.
type watched struct {
	testing.TB
	failed string
}

func (*watched) Helper() {}

func (w *watched) Fatal(args ...any) {
	w.failed = fmt.Sprint(args...)
	panic(w)
}

// TestNoPrograms: without the programs a test fails, and says what to do.
func TestNoPrograms(t *testing.T) {
	t.Setenv("KUBEBUILDER_ASSETS", "")
	for name, begin := range map[string]func(testing.TB){
		"its own": func(t testing.TB) { apitest.Start(t, nil) },
		"shared":  func(t testing.TB) { new(apitest.Shared).Config(t) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &watched{TB: t}
			func() {
				defer func() { _ = recover() }()
				begin(w)
			}()
			if !strings.Contains(w.failed, "make test") {
				t.Errorf("it ends with %q", w.failed)
			}
		})
	}
}

// TestWrongPrograms: a folder without them is no reason to skip either.
func TestWrongPrograms(t *testing.T) {
	t.Setenv("KUBEBUILDER_ASSETS", t.TempDir())
	w := &watched{TB: t}
	func() {
		defer func() { _ = recover() }()
		new(apitest.Shared).Config(w)
	}()
	if !strings.Contains(w.failed, "starting an API server") {
		t.Errorf("it ends with %q", w.failed)
	}
}

// tests pass.
type tests struct{}

func (tests) Run() int { return 0 }

// TestUnused: who starts nothing has nothing to stop.
func TestUnused(t *testing.T) {
	if code := new(apitest.Shared).Main(tests{}); code != 0 {
		t.Errorf("the exit status is %d", code)
	}
}
