// SPDX-License-Identifier: Apache-2.0

// Package cluster runs a real Kubernetes cluster on this machine with kind: of kind's
// published node image where a registry can be reached, and of one built from Debian's
// packages where none can.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kind "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"

	"github.com/credence-dev/credence/e2e/cluster/engine"
	"github.com/credence-dev/credence/e2e/cluster/node"
)

// readyWithin bounds the time in which nodes and system pods get ready.
const readyWithin = 3 * time.Minute

// DefaultName is that of the cluster that make starts.
const DefaultName = "credence"

// Options say what to run.
type Options struct {
	// Name of the cluster, which its nodes are called after.
	Name string
	// Dir is the folder of its state: the kubeconfig, and the container engine if this
	// machine runs none.
	Dir string
	// Cache is the folder of what can be used again by other clusters: packages,
	// compiled programs, the file system of a node.
	Cache string
	// NodeImage is a published image of kind's. Empty: one is built.
	NodeImage string
	// Workers is the number of nodes besides the control plane, which runs pods, too.
	Workers int
	// Progress is told what is being done, line by line.
	Progress io.Writer
}

// WithDefaults returns o with what it does not say: a cluster named credence with two
// nodes, and the user's folder for caches.
func (o Options) WithDefaults() (Options, error) {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return o, err
	}
	if o.Cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return o, fmt.Errorf("finding the folder for caches: %w", err)
		}
		o.Cache = filepath.Join(user, "credence-e2e")
	}
	return o, nil
}

// Kubeconfig is the path of the administrator's kubeconfig.
func (o Options) Kubeconfig() string {
	if o.Name == DefaultName {
		return filepath.Join(o.Dir, "kubeconfig")
	}
	return filepath.Join(o.Dir, "kubeconfig-"+o.Name)
}

func (o Options) engineDir() string { return filepath.Join(o.Dir, "engine") }

// Cluster is a running cluster.
type Cluster struct {
	options  Options
	provider *kind.Provider
}

// Up returns the cluster with this name, which it makes if there is none. It is ready
// then: nodes, Services and names.
func Up(ctx context.Context, o Options) (*Cluster, error) {
	began := time.Now()
	o, err := o.WithDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	running, err := engine.Start(ctx, o.engineDir(), o.Cache, o.Progress)
	if err != nil {
		return nil, err
	}
	c := &Cluster{options: o, provider: kind.NewProvider(kind.ProviderWithDocker(), kind.ProviderWithLogger(logger{o.Progress}))}
	if there, err := c.Nodes(); err != nil || len(there) > 0 {
		return c, errors.Join(err, c.provider.ExportKubeConfig(o.Name, o.Kubeconfig(), false))
	}
	others, err := c.provider.List()
	if err != nil {
		return nil, err
	}
	config := configuration(o, running, len(others))
	if err := makeNetwork(ctx, running); err != nil {
		return nil, err
	}
	built := o.NodeImage == ""
	if built {
		if o.NodeImage, err = node.Image(ctx, o.Cache, o.Progress); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(o.Progress, "starting %d nodes of %s\n", 1+o.Workers, o.NodeImage)
	if err := c.provider.Create(o.Name, kind.CreateWithV1Alpha4Config(config), kind.CreateWithNodeImage(o.NodeImage),
		kind.CreateWithKubeconfigPath(o.Kubeconfig()), kind.CreateWithDisplayUsage(false), kind.CreateWithDisplaySalutation(false)); err != nil {
		return nil, fmt.Errorf("making the cluster %s: %w", o.Name, err)
	}
	if err := c.settle(ctx, built); err != nil {
		return nil, err
	}
	fmt.Fprintf(o.Progress, "the cluster is ready after %d s; its kubeconfig is %s\n", int(time.Since(began).Seconds()), o.Kubeconfig())
	return c, nil
}

// Open returns the cluster with this name, which must run.
func Open(o Options) (*Cluster, error) {
	o, err := o.WithDefaults()
	if err != nil {
		return nil, err
	}
	if err := engine.Find(o.engineDir()); err != nil {
		return nil, err
	}
	c := &Cluster{options: o, provider: kind.NewProvider(kind.ProviderWithDocker())}
	there, err := c.Nodes()
	if err == nil && len(there) == 0 {
		err = fmt.Errorf("no cluster %s runs", o.Name)
	}
	return c, err
}

// Down removes the cluster, if there is one, and the container engine that was started
// for it with all that it did to this machine. It keeps the engine's images.
func Down(ctx context.Context, o Options) error {
	o, err := o.WithDefaults()
	if err != nil {
		return err
	}
	if err := engine.Find(o.engineDir()); err != nil {
		return err
	}
	if exec.CommandContext(ctx, "docker", "version").Run() == nil {
		provider := kind.NewProvider(kind.ProviderWithDocker())
		err = provider.Delete(o.Name, o.Kubeconfig())
		if others, _ := provider.List(); len(others) > 0 {
			return errors.Join(err, removeIfThere(o.Kubeconfig())) // they run in the same engine
		}
	}
	return errors.Join(err, engine.Stop(ctx, o.engineDir()), removeIfThere(o.Kubeconfig()))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.options.Kubeconfig() }

// Nodes are the containers that are nodes of the cluster.
func (c *Cluster) Nodes() ([]nodes.Node, error) { return c.provider.ListInternalNodes(c.options.Name) }

// configuration is what kind and kubeadm are told, beside a number of other clusters.
func configuration(o Options, running *engine.Engine, others int) *v1alpha4.Cluster {
	config := &v1alpha4.Cluster{
		Nodes: []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole}},
		// Which registries need what is written onto the nodes later, by host.
		ContainerdConfigPatches: []string{"[plugins.\"io.containerd.grpc.v1.cri\".registry]\n  config_path = \"" + registries + "\"\n"},
		// All nodes run pods, so that one of them can be drained.
		KubeadmConfigPatches: []string{"kind: InitConfiguration\nnodeRegistration:\n  taints: []\n"},
	}
	for range o.Workers {
		config.Nodes = append(config.Nodes, v1alpha4.Node{Role: v1alpha4.WorkerRole})
	}
	if running.Network.IsValid() {
		// kind would look for a free port on an address that is not this machine's.
		config.Networking.APIServerAddress, config.Networking.APIServerPort = running.Network.String(), int32(6443+others)
	}
	if o.NodeImage == "" {
		config.Networking.DisableDefaultCNI = true
		config.Networking.KubeProxyMode = v1alpha4.NFTablesProxyMode
		config.KubeadmConfigPatches = append(config.KubeadmConfigPatches,
			"kind: ClusterConfiguration\nimageRepository: "+node.Repository+"\n", "kind: KubeletConfiguration\nfailCgroupV1: false\n")
	}
	v1alpha4.SetDefaultsCluster(config)
	return config
}

// makeNetwork makes the network that kind puts nodes into, in the range that this
// machine has a route to.
func makeNetwork(ctx context.Context, running *engine.Engine) error {
	if !running.Network.IsValid() || exec.CommandContext(ctx, "docker", "network", "inspect", "kind").Run() == nil {
		return nil
	}
	said, err := exec.CommandContext(ctx, "docker", "network", "create", "--subnet="+engine.Nodes.String(), "kind").CombinedOutput()
	if err != nil {
		return fmt.Errorf("making the network of the nodes: %w: %s", err, said)
	}
	return nil
}
