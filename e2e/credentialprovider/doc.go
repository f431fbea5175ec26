// SPDX-License-Identifier: Apache-2.0

// Package credentialprovider holds Credence's idea of which images a registry
// login serves to the kubelet's own code, k8s.io/kubernetes/pkg/credentialprovider.
// It has nothing but tests; they are here because the product must not import
// k8s.io/kubernetes.
package credentialprovider
