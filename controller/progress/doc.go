// SPDX-License-Identifier: Apache-2.0

// Package progress tells whether a process gets on with its work: a Monitor takes
// note of what controllers finish and of which requests to the API server are under
// way, and a Heartbeat goes through the queue of a controller that may have nothing
// to do.
//
// It knows nothing of what the work is, and must not import any other package of
// this module.
package progress
