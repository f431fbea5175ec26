// SPDX-License-Identifier: Apache-2.0

// Package podrules holds what Credence makes of pods to what Kubernetes says of pods,
// by its own code: validation, defaults, and the Pod Security Standards.
package podrules
