// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/credence-dev/credence/e2e/compile"
)

// AssetsVariable is the environment variable with which envtest, too, is told
// the folder that holds the programs.
const AssetsVariable = "KUBEBUILDER_ASSETS"

// Programs holds the paths of the programs of a control plane.
type Programs struct {
	Etcd              string
	APIServer         string
	ControllerManager string
	Scheduler         string
}

const modulePath = "github.com/credence-dev/credence/e2e"

var programs = []compile.Program{
	{Name: "etcd", Package: "go.etcd.io/etcd/server/v3", Minutes: 1},
	{Name: "kube-apiserver", Package: "k8s.io/kubernetes/cmd/kube-apiserver", Minutes: 8},
	{Name: "kube-controller-manager", Package: "k8s.io/kubernetes/cmd/kube-controller-manager", Minutes: 5},
	{Name: "kube-scheduler", Package: "k8s.io/kubernetes/cmd/kube-scheduler", Minutes: 1},
}

// field is where the path of a program belongs.
func (p *Programs) field(name string) *string {
	return map[string]*string{
		"etcd": &p.Etcd, "kube-apiserver": &p.APIServer, "kube-controller-manager": &p.ControllerManager, "kube-scheduler": &p.Scheduler,
	}[name]
}

// Ensure returns the programs of a control plane. It takes those that the folder
// named by $KUBEBUILDER_ASSETS holds, if etcd and kube-apiserver, envtest's usual
// set, are among them. The others come from dir, where they are compiled first
// unless they are there and current. Compiling takes about a quarter of an hour
// the first time; what is being done is told to progress, line by line.
//
// The current folder must be inside a module that knows the module of this
// package, for that is where the versions to compile are written down. Several
// callers may use the same dir at once: one compiles, the others wait for it.
func Ensure(ctx context.Context, dir string, progress io.Writer) (Programs, error) {
	found, missing := fromAssets(os.Getenv(AssetsVariable), progress)
	if len(missing) == 0 {
		return found, nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Programs{}, fmt.Errorf("finding the folder of the programs: %w", err)
	}
	source, err := ProgramsModule(ctx)
	if err != nil {
		return Programs{}, err
	}
	kept := compile.Programs{Source: source, Dir: dir, All: programs, Kubernetes: true}
	if err := kept.Ensure(ctx, missing, progress); err != nil {
		return Programs{}, err
	}
	for _, p := range missing {
		*found.field(p.Name) = filepath.Join(dir, p.Name)
	}
	return found, nil
}

// ProgramsModule is the folder of the module that names the versions of Kubernetes'
// programs.
func ProgramsModule(ctx context.Context) (string, error) {
	dir, err := compile.Go(ctx, "", "list", "-m", "-f", "{{.Dir}}", modulePath)
	if err != nil {
		return "", fmt.Errorf("finding the sources of the programs: %w", err)
	}
	return filepath.Join(dir, "programs"), nil
}

// fromAssets returns the programs in the folder that the environment names, and
// those it lacks. A folder without etcd and kube-apiserver is of no use to
// envtest either, and left alone.
func fromAssets(folder string, progress io.Writer) (found Programs, missing []compile.Program) {
	if folder == "" {
		return Programs{}, programs
	}
	var taken []string
	for _, p := range programs {
		path := filepath.Join(folder, p.Name)
		if !compile.IsProgram(path) {
			missing = append(missing, p)
			continue
		}
		*found.field(p.Name) = path
		taken = append(taken, p.Name)
	}
	if found.Etcd == "" || found.APIServer == "" {
		fmt.Fprintf(progress, "$%s is set, but %s lacks etcd or kube-apiserver\n", AssetsVariable, folder)
		return Programs{}, programs
	}
	fmt.Fprintf(progress, "taking %s from %s, as $%s says\n", strings.Join(taken, ", "), folder, AssetsVariable)
	return found, missing
}
