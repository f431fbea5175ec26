// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

func TestMain(m *testing.M) {
	if os.Getenv(loadEnvironment) != "" {
		if err := generateLoad(); err != nil {
			fmt.Fprintln(os.Stderr, "generating load:", err)
			os.Exit(1)
		}
		return
	}
	klog.SetLogger(newProductionLogger(io.Discard)) // the API server's plugin reports every refusal there
	ctrl.SetLogger(newProductionLogger(io.Discard))
	os.Exit(m.Run())
}

// newProductionLogger logs as the processes do.
func newProductionLogger(to io.Writer) logr.Logger {
	return logr.FromSlogHandler(slog.NewJSONHandler(to, &slog.HandlerOptions{Level: slog.LevelInfo}))
}
