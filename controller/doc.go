// SPDX-License-Identifier: Apache-2.0

// Package controller keeps the world in step with every Credential: it examines
// the source, keeps a copy of it in each namespace of the scope (package copies),
// and says in the status how that went.
//
// A pass goes one way: the gatherer does all reads, a plan compares what is
// desired with what is there, the writer carries it out, and a pure function
// computes the status from all that. The outer reconcile writes it, once and only
// if it says something new. Nothing is decided before the catalog is complete.
//
// It must not import webhooks or the injector.
package controller
