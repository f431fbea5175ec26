// SPDX-License-Identifier: Apache-2.0

// Package adoption binds the sources that were made together with a Credential to
// it: such a source goes with its Credential, by Kubernetes' garbage collector, and
// one whose Credential never came goes after a while.
//
// It sees and writes metadata only. The label says whose a source is, so one that
// comes back without an owner, from a backup or a repository, is bound again. The
// package must not import other reconcilers, webhooks or the injector.
package adoption
