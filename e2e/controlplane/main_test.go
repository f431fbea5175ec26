// SPDX-License-Identifier: Apache-2.0

package controlplane_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/credence-dev/credence/e2e/controlplane"
)

// programs are those that all tests start.
var programs controlplane.Programs

// orphanVariable makes the test binary a process that starts a control plane,
// prints its processes and waits to be killed.
const orphanVariable = "CONTROLPLANE_TEST_ORPHAN"

func TestMain(m *testing.M) {
	var err error
	if programs, err = controlplane.Ensure(context.Background(), "../../bin/controlplane", os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv(orphanVariable) != "" {
		beOrphaned()
	}
	os.Exit(m.Run())
}

func beOrphaned() {
	c, err := controlplane.Start(context.Background(), controlplane.Options{Programs: programs, Dir: os.Getenv(orphanVariable)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(c.Processes()); err != nil {
		os.Exit(1)
	}
	select {}
}

// start starts a control plane that the end of the test stops.
func start(t *testing.T, options controlplane.Options) *controlplane.ControlPlane {
	t.Helper()
	options.Programs = programs
	c, err := controlplane.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func clientset(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// eventually polls until condition holds. The last of a try's errors that do not
// end the polling may be given as details.
func eventually(t *testing.T, what string, condition func(context.Context) (bool, error), details ...*error) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, condition); err != nil {
		for _, detail := range details {
			t.Log(*detail)
		}
		t.Fatalf("waiting until %s: %v", what, err)
	}
}
