// SPDX-License-Identifier: Apache-2.0

// Package workload knows the kinds that have pods: where in an object its pod
// template is, and how annotations on the object are carried to it.
//
// It is pure, and must import no other package of this module but the API,
// annotation, pod and patch.
package workload
