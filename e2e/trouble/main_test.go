// SPDX-License-Identifier: Apache-2.0

// Package trouble holds tests of what goes wrong in a real cluster: processes and nodes
// that end and come back, certificates and configurations that change. Pods that ask
// for credentials are created all the while.
package trouble

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"
	"sigs.k8s.io/e2e-framework/pkg/types"

	"github.com/credence-dev/credence/e2e/live"
)

// within bounds what hangs; nothing takes that long.
const within = 2 * time.Minute

var (
	world *live.World
	scene *project
	// byHand are arguments of helm that go over what was changed by hand.
	byHand = []string{"--force-conflicts"}
	// hurried are arguments of the controller in a hurry.
	hurried = []string{"--ca-propagation-delay=5s", "--doctor-interval=3s"}
)

func TestMain(m *testing.M) {
	os.Exit(live.Suite{
		Prepare: func(_ context.Context, w *live.World) ([]string, error) {
			world = w
			return byHand, nil
		},
		Started: func(ctx context.Context, _ *live.World) (err error) {
			scene, err = newProject(ctx)
			return err
		},
	}.Main(cleaning{m}))
}

// cleaning undoes after the tests what was done before them.
type cleaning struct{ *testing.M }

// Run runs the tests.
func (c cleaning) Run() int {
	code := c.M.Run()
	for _, undo := range []func(context.Context) error{scene.remove, func(ctx context.Context) error { return world.Install(ctx, byHand...) }} {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		if err := undo(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "cleaning up:", err)
			code = 1
		}
		cancel()
	}
	return code
}

// hurry has the controller give API servers less time to notice a new CA than those of
// large clusters need, and look for what was not injected more often.
func hurry(t *testing.T) {
	t.Helper()
	controller := deploymentOf("credence-controller")
	must(t, world.Client.Get(t.Context(), client.ObjectKeyFromObject(controller), controller))
	args := &controller.Spec.Template.Spec.Containers[0].Args
	if !slices.Contains(*args, hurried[0]) {
		*args = append(*args, hurried...)
		must(t, world.Client.Update(t.Context(), controller))
	}
	eventually(t, "the controller in a hurry", world.Running)
}

// story tells a feature to the framework.
func story(t *testing.T, feature *features.FeatureBuilder) {
	t.Helper()
	env.NewWithConfig(envconf.NewWithKubeConfig(world.Cluster.Kubeconfig())).Test(t, feature.Feature())
}

// step is one that needs nothing of the framework.
func step(do func(t *testing.T)) types.StepFunc {
	return func(ctx context.Context, t *testing.T, _ *envconf.Config) context.Context {
		t.Helper()
		do(t)
		return ctx
	}
}

// eventually waits until nothing is wrong any more.
func eventually(t *testing.T, what string, wrong func(context.Context) error) {
	t.Helper()
	if err := live.Await(t.Context(), within, what, wrong); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
