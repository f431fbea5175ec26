// SPDX-License-Identifier: Apache-2.0

// Package pod is the part of a pod that Credence reads and writes, and how it is
// decoded: in one pass, strictly, and with an error that people can act upon. What
// a pod gets is not its question.
//
// It is pure, and must import no other package of this module but annotation.
package pod
