// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
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

// program is one of the programs: the name of its file and the Go package it is
// compiled from.
type program struct {
	name    string
	pkg     string
	field   func(*Programs) *string
	minutes int // about how long the first compilation takes on two cores
}

var programs = []program{
	{"etcd", "go.etcd.io/etcd/server/v3", func(p *Programs) *string { return &p.Etcd }, 1},
	{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", func(p *Programs) *string { return &p.APIServer }, 8},
	{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", func(p *Programs) *string { return &p.ControllerManager }, 5},
	{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", func(p *Programs) *string { return &p.Scheduler }, 1},
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
	source, err := sourceFolder(ctx)
	if err != nil {
		return Programs{}, err
	}
	if err := compileMissing(ctx, source, dir, missing, progress); err != nil {
		return Programs{}, err
	}
	for _, p := range missing {
		*p.field(&found) = filepath.Join(dir, p.name)
	}
	return found, nil
}

// fromAssets returns the programs in the folder that the environment names, and
// those it lacks. A folder without etcd and kube-apiserver is of no use to
// envtest either, and left alone.
func fromAssets(folder string, progress io.Writer) (found Programs, missing []program) {
	if folder == "" {
		return Programs{}, programs
	}
	var taken []string
	for _, p := range programs {
		path := filepath.Join(folder, p.name)
		if !isProgram(path) {
			missing = append(missing, p)
			continue
		}
		*p.field(&found) = path
		taken = append(taken, p.name)
	}
	if found.Etcd == "" || found.APIServer == "" {
		fmt.Fprintf(progress, "$%s is set, but %s lacks etcd or kube-apiserver\n", AssetsVariable, folder)
		return Programs{}, programs
	}
	fmt.Fprintf(progress, "taking %s from %s, as $%s says\n", strings.Join(taken, ", "), folder, AssetsVariable)
	return found, missing
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func names(list []program) string {
	var all []string
	for _, p := range list {
		all = append(all, p.name)
	}
	return strings.Join(all, ", ")
}
