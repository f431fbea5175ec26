// SPDX-License-Identifier: Apache-2.0

// Package uninstall takes from a cluster what would block it once no process of
// Credence runs any more: what refuses, the processes, and the finalizers, in this
// order. Credentials and sources stay, and so do copies, unless the caller wants
// something else.
//
// It must not import reconcilers: it undoes what they leave, also those of other
// versions.
package uninstall
