// SPDX-License-Identifier: Apache-2.0

// Package patch builds, writes and applies JSON patches (RFC 6902) against
// documents as received, so that what no operation touches survives to the letter.
//
// It is pure, and must import no other package of this module but pod.
package patch
