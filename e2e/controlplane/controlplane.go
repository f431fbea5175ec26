// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	// startTimeout bounds a start whose context has no deadline.
	startTimeout = 2 * time.Minute
	// stopGrace is how long a program may take to stop by itself.
	stopGrace = 5 * time.Second
	// The API server waits a minute for open watches to end. Its objects are in
	// etcd: nothing is lost by not waiting.
	apiServerGrace = 2 * time.Second
)

// Options says what control plane to start.
type Options struct {
	// Programs are the programs to start; see Ensure. Required, but those of
	// the controller manager and the scheduler only if they are started.
	Programs Programs

	// Dir holds the data, keys, logs (in logs/) and kubeconfigs. It is made if
	// it does not exist. By default a temporary folder, which Stop removes.
	Dir string
	// Keep continues with the objects, keys and tokens that an earlier control
	// plane left in Dir. By default every start begins empty.
	Keep bool

	// Port is the port of the API server; by default a free one.
	Port int
	// APIServerArgs are further arguments of kube-apiserver, as in
	// "--request-timeout=5s". They win over those that are set here; arguments
	// that are lists are added to.
	APIServerArgs []string
	// Audit makes the API server write an audit log.
	Audit *Audit

	// ControllerManager starts kube-controller-manager. Without it no
	// service accounts are made, nor asked for by admission; Deployments stay
	// without pods, deleted owners keep their dependents, and namespaces cannot
	// be deleted.
	ControllerManager bool
	// Scheduler starts kube-scheduler. There are no nodes until something,
	// such as kwok, makes them.
	Scheduler bool
}

// Audit names the files of an audit log.
type Audit struct {
	Policy string // an audit.k8s.io/v1 Policy; read
	Log    string // one event per line, JSON; appended to
}

// ControlPlane is a running control plane. Its methods may be called from
// several goroutines at once.
type ControlPlane struct {
	options   Options
	dir       string
	temporary bool // dir is removed at the end
	lock      *flock.Flock

	clusterCA, etcdCA *authority
	admin             *rest.Config
	loopback          *loopbackGate

	mu                                              sync.Mutex
	etcdPort, apiServerPort                         int
	etcd, apiServer, controllerManager, schedulerPr *process
}

// Start starts a control plane and returns when it serves requests, RBAC's own
// roles and the namespace default are there and, with the controller manager, its
// service account. The context bounds the start only, which without a deadline
// fails after two minutes. The programs run until Stop; on Linux the kernel kills
// them when this process ends without it.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c := &ControlPlane{options: options, dir: options.Dir}
	steps := []func(context.Context) error{c.openDir, c.openKeys, c.startEtcd, c.startFirstAPIServer, c.startControllers}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("starting a control plane: %w", err), c.Stop())
		}
	}
	return c, nil
}

// openDir makes the folder, locks it and, unless it is to be kept, empties it of
// what an earlier control plane left.
func (c *ControlPlane) openDir(context.Context) (err error) {
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "controlplane-"); err != nil {
			return fmt.Errorf("making a temporary folder: %w", err)
		}
		c.temporary = true
	}
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return fmt.Errorf("finding the folder of the control plane: %w", err)
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of the control plane: %w", err)
	}
	lock := flock.New(c.path("controlplane.lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("locking the folder of the control plane: %w", err)
	}
	if !locked {
		return fmt.Errorf("another control plane runs in %s", c.dir)
	}
	c.lock = lock
	for _, folder := range []string{"etcd", "pki", "logs"} {
		if !c.options.Keep {
			if err := os.RemoveAll(c.path(folder)); err != nil {
				return fmt.Errorf("emptying the folder of the control plane: %w", err)
			}
		}
		if err := os.MkdirAll(c.path(folder), 0o700); err != nil {
			return fmt.Errorf("making the folder of the control plane: %w", err)
		}
	}
	return nil
}

// openKeys opens the certificate authorities and issues what the programs need
// to know each other. etcd has an authority of its own: no user of the cluster
// may talk to it.
func (c *ControlPlane) openKeys(context.Context) (err error) {
	pki := c.path("pki")
	if c.clusterCA, err = openAuthority(pki, "cluster-ca"); err != nil {
		return err
	}
	if c.etcdCA, err = openAuthority(pki, "etcd-ca"); err != nil {
		return err
	}
	if err := ensureSigningKey(c.path("pki", "service-accounts.key")); err != nil {
		return err
	}
	for _, certificate := range []struct {
		name  string
		issue func() (keyPair, error)
	}{
		{"etcd", func() (keyPair, error) { return c.etcdCA.serving("localhost") }},
		{"etcd-client", func() (keyPair, error) { return c.etcdCA.client("kube-apiserver") }},
		{"apiserver", func() (keyPair, error) {
			return c.clusterCA.serving("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
		}},
	} {
		pair, err := certificate.issue()
		if err != nil {
			return err
		}
		if err := pair.write(pki, certificate.name); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends the programs, each with force if it does not end by itself within a
// few seconds, and returns when none is left. Stopping twice is fine.
func (c *ControlPlane) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var controllers sync.WaitGroup
	for _, p := range []*process{c.controllerManager, c.schedulerPr} {
		controllers.Go(func() { p.stop(stopGrace) })
	}
	controllers.Wait()
	c.apiServer.stop(apiServerGrace)
	c.etcd.stop(stopGrace)

	var errs []error
	if c.loopback != nil {
		errs = append(errs, c.loopback.close())
	}
	if c.temporary {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	if c.lock != nil {
		errs = append(errs, c.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stopping the control plane: %w", err)
	}
	return nil
}

// Dir is the folder that holds the data, keys, logs and kubeconfigs.
func (c *ControlPlane) Dir() string { return c.dir }

// Process is a running program of the control plane.
type Process struct {
	Name string
	PID  int
	Log  string // the path of its log
}

// Processes lists the programs that run now.
func (c *ControlPlane) Processes() []Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Process
	for _, p := range []*process{c.etcd, c.apiServer, c.controllerManager, c.schedulerPr} {
		if p.running() {
			list = append(list, Process{Name: p.name, PID: p.cmd.Process.Pid, Log: p.log})
		}
	}
	return list
}

func (c *ControlPlane) path(parts ...string) string {
	return filepath.Join(append([]string{c.dir}, parts...)...)
}

func (c *ControlPlane) logPath(name string) string { return c.path("logs", name+".log") }

func (c *ControlPlane) clientset() (*kubernetes.Clientset, error) {
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return client, nil
}
