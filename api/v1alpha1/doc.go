// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 is the API of Credence: the credence.dev/v1alpha1 types with
// their conditions and reasons, and the labels and annotations that people,
// workloads and Credence itself write on other objects.
//
// It holds names and shapes only. What they mean is decided in package
// credential, what they do to a pod in package injector. It must not import a
// client, nor any other package of this module.
//
// +kubebuilder:object:generate=true
// +groupName=credence.dev
package v1alpha1
