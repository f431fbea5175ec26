// SPDX-License-Identifier: Apache-2.0

// Package doctor finds what admission did not do: pods that ask for credentials and
// were not injected, workloads whose annotations were not carried to their pod
// templates, and pods that have not run yet and lack a registry login that serves
// them now. It tells of them, counts them, and has pods replaced where it is asked
// to.
//
// Examine is the examination, with readers: the controller and the command share it.
// What a pod lacks is found by injecting into it once more, so this package alone of
// the controllers knows the injector. It goes by content, and believes no annotation
// that says what was injected. It must not import webhooks or reconcilers.
package doctor
