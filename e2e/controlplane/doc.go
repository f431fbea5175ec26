// SPDX-License-Identifier: Apache-2.0

// Package controlplane owns a Kubernetes control plane made of plain child
// processes: etcd, the API server and, if asked for, the controller manager and
// the scheduler. It needs no root, no container runtime and no network, and
// listens on 127.0.0.1 only. It has no nodes: pods are made and scheduled, but
// nothing runs them.
//
// [Ensure] finds or compiles the programs, [Start] starts them.
//
// It knows nothing of Credence and imports nothing of it.
package controlplane
