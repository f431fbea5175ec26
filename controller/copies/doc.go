// SPDX-License-Identifier: Apache-2.0

// Package copies owns the Secrets that Credence keeps in the namespaces of a
// credential's scope: what makes one ours, which are to be written or removed
// (Plan, pure), the writing with a back-off for each namespace (Writer), and the
// keyed fingerprint that tells whether a copy is up to date (Keyring).
//
// A copy is known by its metadata. Values pass through on their way from the
// source into a request and are kept nowhere; they are never part of an error.
// The package must not import reconcilers, webhooks or the injector.
package copies
