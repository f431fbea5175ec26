// SPDX-License-Identifier: Apache-2.0

// Package scale measures Credence at the size of a large cluster: the time to
// spread and to remove a credential, the requests that this takes, and the memory
// and the start of the processes. The real program runs against a real control
// plane, each process by itself and with the rights of its service account.
//
// All of it is in benchmarks. They print each figure beside what was promised, and
// a promise that is not held does not make them fail. See docs/benchmarks.md.
package scale
