// SPDX-License-Identifier: Apache-2.0

// Package doctor finds what admission did not do: pods that ask for credentials and
// were not injected, workloads whose annotations were not carried to their pod
// templates, and pods that have not run yet and lack a registry login that serves
// them now. It tells of them, counts them, and has pods replaced where it is asked
// to.
//
// Examine is the examination, with readers: the controller and the command share it.
// Whether something is wrong with a pod is decided in faults.go and lacks.go, purely;
// whether it may be replaced in evict.go. What is told is in tell.go, and in warnings.go
// what the webhook warned of.
//
// What a pod lacks is found by injecting into it once more, so this package alone of
// the controllers knows the injector. It goes by content, and believes no annotation
// that says what was injected. It must not import webhooks or reconcilers.
package doctor
