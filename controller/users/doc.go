// SPDX-License-Identifier: Apache-2.0

// Package users says in the status of a Credential who uses it: usedBy,
// outdatedPods and the condition InUse, and nothing else of it.
//
// It is apart from the controller of Credentials so that pods, which come and go
// all the time, cost neither a read of a source nor a plan over all namespaces. A
// Counter asks the usage index, and both controllers write what it counts: that of
// Credentials when it has something to say anyway, the Reconciler here when the
// index changed. It must not import reconcilers of other things.
package users
