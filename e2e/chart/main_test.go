// SPDX-License-Identifier: Apache-2.0

package chart_test

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // without any, controller-runtime complains among the results
	os.Exit(m.Run())
}
