// SPDX-License-Identifier: Apache-2.0

// Package injector decides what a pod gets: references (package annotation) are
// resolved to credentials, merged into a plan for each container, and written as
// JSON patch operations (package patch) that only add. What is said of it, on the pod
// and to its author, is kept by package remark.
//
// It sees only the part of a pod that it needs (package pod), wherever in an object
// that is (package workload), and its operations are against the document as
// received, so that fields unknown to it survive. The webhook, the offline command
// and the API's preview all call it.
//
// It is pure: no HTTP, client-go, controller-runtime or admission package, no
// clock, no reads. Everything it knows of a cluster comes from a Catalog.
package injector
