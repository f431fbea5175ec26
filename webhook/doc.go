// SPDX-License-Identifier: Apache-2.0

// Package webhook is the admission plumbing: it reads reviews, asks the injector,
// and answers. The decision about pods, which two entries of the webhook
// configuration share, is in pods.go.
//
// What a pod gets is decided in package injector. This package owns what
// surrounds the decision: limits, waiting for a credential that was created a
// moment ago, live reads on a cache miss, warnings, the audit trail and metrics.
// It keeps no state of its own and makes no API call while caches are warm.
package webhook
