// SPDX-License-Identifier: Apache-2.0

// Package race tests that nothing in use is ever deleted, on a real control plane with
// the real program: many at once create and delete credentials, pods and workloads,
// admission is slow and away at times, and the log of what the API server stored is
// held against the invariants (check, pure).
package race
