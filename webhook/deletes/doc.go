// SPDX-License-Identifier: Apache-2.0

// Package deletes decides whether an object of ours may be deleted: one that is in
// use may not.
//
// It is an entry of a webhook configuration like those of package webhook, but it is
// the controller processes that serve it, for they know who uses what. It asks them
// by an interface, and must not import package controller.
//
// It is the first of three layers, and the one that is up to date. The chart has a
// policy that goes by the status of an object and holds while no process of Credence
// runs, in the same words. And whatever was refused or not, the finalizer keeps the
// copies until no pod uses them. So what cannot be known here is allowed.
package deletes
