// SPDX-License-Identifier: Apache-2.0

// Package fetch makes the containers that fetch data sources: a Git repository with
// git-sync, a part of a bucket with rclone. It knows their flags, and nothing of the
// pod that a container goes into.
//
// What people wrote never becomes an option, is never read by a shell and never by the
// kubelet, which expands $(VAR) in commands and in variables. Credentials are there
// as references alone.
//
// It is pure, and must import no other package of this module but the API, the domain
// and pod.
package fetch
