// SPDX-License-Identifier: Apache-2.0

// Package object makes workloads, templates, pods and service accounts slim: what
// one refers to, whose it is, whether it has finished and since when it reads, and
// nothing else. Who uses what is not its question.
//
// It is pure, and must import no other package of this module but the API and the
// injector's.
package object
