// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/credence-dev/credence/e2e/compile"
	"github.com/credence-dev/credence/e2e/controlplane"
)

// ofKubernetes are the programs of a cluster. Their compilation shares its work with
// that of the control plane for tests.
var ofKubernetes = []compile.Program{
	{Name: "etcd", Package: "go.etcd.io/etcd/server/v3", Minutes: 1},
	{Name: "kube-apiserver", Package: "k8s.io/kubernetes/cmd/kube-apiserver", Minutes: 8},
	{Name: "kube-controller-manager", Package: "k8s.io/kubernetes/cmd/kube-controller-manager", Minutes: 5},
	{Name: "kube-scheduler", Package: "k8s.io/kubernetes/cmd/kube-scheduler", Minutes: 1},
	{Name: "kube-proxy", Package: "k8s.io/kubernetes/cmd/kube-proxy", Minutes: 1},
	{Name: "kubelet", Package: "k8s.io/kubernetes/cmd/kubelet", Minutes: 3},
	{Name: "kubeadm", Package: "k8s.io/kubernetes/cmd/kubeadm", Minutes: 2},
	{Name: "kubectl", Package: "k8s.io/kubernetes/cmd/kubectl", Minutes: 2},
}

var dns = compile.Program{Name: "coredns", Package: "github.com/coredns/coredns", Minutes: 8}

// programs are compiled programs in their folders.
type programs struct {
	kubernetes, dns, own string
}

// compilePrograms compiles what a node and its images are made of, below cache.
func compilePrograms(ctx context.Context, cache string, progress io.Writer) (programs, error) {
	source, err := controlplane.ProgramsModule(ctx)
	if err != nil {
		return programs{}, err
	}
	made := programs{
		kubernetes: filepath.Join(cache, "programs", "kubernetes"),
		dns:        filepath.Join(cache, "programs", "coredns"),
		own:        filepath.Join(cache, "programs", "own"),
	}
	kubernetes := compile.Programs{Source: source, Dir: made.kubernetes, All: ofKubernetes, Kubernetes: true, Static: true}
	if err := kubernetes.Ensure(ctx, ofKubernetes, progress); err != nil {
		return programs{}, err
	}
	server := compile.Programs{Source: filepath.Join(source, "coredns"), Dir: made.dns, All: []compile.Program{dns}, Static: true}
	if err := server.Ensure(ctx, server.All, progress); err != nil {
		return programs{}, err
	}
	pause := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", made.own+"/", "github.com/credence-dev/credence/e2e/cluster/node/pause")
	pause.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := pause.CombinedOutput(); err != nil {
		return programs{}, fmt.Errorf("compiling pause: %w\n%s", err, said)
	}
	return made, nil
}

func (p programs) of(name string) string {
	for _, dir := range []string{p.kubernetes, p.dns, p.own} {
		if path := filepath.Join(dir, name); compile.IsProgram(path) {
			return path
		}
	}
	return ""
}

// stamps say what the programs were compiled from.
func (p programs) stamps() (string, error) {
	var all strings.Builder
	for _, dir := range []string{p.kubernetes, p.dns} {
		stamp, err := compile.Stamp(dir)
		if err != nil {
			return "", err
		}
		all.WriteString(stamp)
	}
	return all.String(), nil
}

// version of Kubernetes, such as v1.37.2, as the programs say it.
func (p programs) version(ctx context.Context) (string, error) {
	said, err := exec.CommandContext(ctx, p.of("kubeadm"), "version", "-o", "short").Output()
	if err != nil {
		return "", fmt.Errorf("asking kubeadm for its version: %w", err)
	}
	return strings.TrimSpace(string(said)), nil
}
