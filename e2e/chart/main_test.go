// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	_ "github.com/credence-dev/credence/charts" // or go test goes on telling what it found before the chart changed
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // without any, controller-runtime complains among the results
	os.Exit(m.Run())
}
