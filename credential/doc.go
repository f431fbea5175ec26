// SPDX-License-Identifier: Apache-2.0

// Package credential is the domain: the types of credentials and the keys they
// need, the names of their Secrets, the images a registry login serves, which
// Secrets may be a source, which credentials a namespace sees and which one a
// name means there.
//
// It is pure: it computes from what it is given, reads no clock, and imports no
// HTTP, client-go, controller-runtime or admission package. To add a type of
// credential, add a Definition in types.go.
package credential
