// SPDX-License-Identifier: Apache-2.0

// Package restart rolls the workloads that read a credential through environment
// variables when its values have changed: once for each change, and only where the
// credential asks for it.
//
// Everything is decided from facts that outlast a process: when the values last
// changed, when the containers of the live pods started, and what the workload
// itself says it was restarted for. So neither a restart of the controller nor
// another leader restarts anything, and a change that nobody saw is not missed.
//
// Values never come here: a change is known by its fingerprint. The package must
// not import reconcilers, webhooks or the injector.
package restart
