// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"context"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/credence-dev/credence/e2e/image"
)

// Namespace is where everything of the stage is.
const Namespace = "stage"

// startWithin bounds what the cluster does, not what is compiled before.
const startWithin = 5 * time.Minute

// Nodes are those of a cluster.
type Nodes interface {
	// Load puts images, by their names, onto each node.
	Load(ctx context.Context, images map[string]v1.Image) error
	// TrustRegistry has each node reach the registry that images name as host, such as
	// registry.test:5000, at endpoint, such as http://10.96.1.2:5000.
	TrustRegistry(ctx context.Context, host, endpoint string) error
}

// Stage is what serves in a cluster.
type Stage struct {
	Registry *Registry
	Git      *Git
	S3       *S3
	// Fetchers are the names of images that fetch data sources. Each node has them.
	Fetchers Fetchers
	// CA is the certificate that those of Git and S3 are signed with, in PEM.
	CA []byte

	kube  kubernetes.Interface
	built *built
}

// Fetchers are images that fetch data sources.
type Fetchers struct {
	Git, S3 string
}

// Start compiles what is not below cacheDir yet, puts it onto the nodes, starts it and
// waits until it serves. A stage that is there is replaced, with all its data.
func Start(ctx context.Context, kube kubernetes.Interface, nodes Nodes, cacheDir string, progress io.Writer) (*Stage, error) {
	made, err := build(ctx, cacheDir, progress)
	if err != nil {
		return nil, fmt.Errorf("making the images of the stage: %w", err)
	}
	fmt.Fprintln(progress, "putting the images of the stage onto the nodes")
	if err := nodes.Load(ctx, made.images()); err != nil {
		return nil, fmt.Errorf("putting the images of the stage onto the nodes: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	fmt.Fprintf(progress, "starting registries, Git and S3 in the namespace %s\n", Namespace)
	s := &Stage{kube: kube, built: made, Fetchers: Fetchers{Git: made.git.name, S3: made.s3.name}}
	if err := s.start(ctx, nodes); err != nil {
		return nil, fmt.Errorf("starting the stage: %w", err)
	}
	return s, nil
}

func (s *Stage) start(ctx context.Context, nodes Nodes) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	made, err := makeLogins(ctx, s.kube)
	if err != nil {
		return err
	}
	s.CA = made.ca
	if err := s.deploy(ctx, made); err != nil {
		return err
	}
	services, err := s.services(ctx)
	if err != nil {
		return err
	}
	s.Registry = &Registry{door: s.door(services[registryName]), logins: made.registry}
	s.Git = &Git{door: s.door(services[gitName]), logins: made}
	s.S3 = &S3{door: s.door(services[s3Name]), login: made.s3, ca: made.ca, rclone: s.built.rclone}
	// The address of a Service stays when nodes start again with others.
	endpoint := fmt.Sprintf("http://%s:%d", services[registryName].Spec.ClusterIP, registryPort)
	if err := nodes.TrustRegistry(ctx, RegistryHost, endpoint); err != nil {
		return fmt.Errorf("telling the nodes of the registry: %w", err)
	}
	return s.await(ctx)
}

// Probe makes an image that says what its container has; see ProbeArgs. Another label
// makes another image, which no node has yet.
func (s *Stage) Probe(label string) (v1.Image, error) {
	return image.Of(map[string]image.File{
		"probe": {From: s.built.own("probe")},
		"label": {Content: label, Mode: 0o644},
	}, v1.Config{Entrypoint: []string{"/probe"}, User: "65532:65532"})
}

// ProbeArgs are the arguments of a probe that tells digests of variables and files, and
// goes on until it is told to end. With another argument, such as -exit=0, it ends at
// once with that status. What it logs is read with report.Read.
func ProbeArgs(variables []string, files ...string) []string {
	args := make([]string, 0, len(variables)+len(files))
	for _, name := range variables {
		args = append(args, "-env="+name)
	}
	for _, path := range files {
		args = append(args, "-file="+path)
	}
	return args
}
