// SPDX-License-Identifier: Apache-2.0

// Package manifest reads and writes Kubernetes manifests as people keep them: YAML
// with comments and several documents, JSON, Lists, files, folders and standard
// input.
//
// It makes a catalog of the Credentials, Namespaces and Secrets that it reads
// (Assets), and injects into the workloads (Inject) by way of package injector. It
// talks to no cluster.
package manifest
