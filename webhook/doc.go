// SPDX-License-Identifier: Apache-2.0

// Package webhook decides what is said to reviews. Package admission serves them.
// Each entry of the webhook configurations has its file: pods.go, which two share,
// and own.go and names.go for objects of our own kinds.
//
// What a pod gets is decided in package injector, what becomes of an object of our
// own in package own. This package owns what surrounds the decision: waiting for a
// credential that was created a moment ago, live reads on a cache miss, warnings and
// the audit trail. It keeps no state of its own, and makes no API call about a pod
// while caches are warm.
package webhook
