// SPDX-License-Identifier: Apache-2.0

// Package strays removes the copies of Credentials that are gone: whose finalizer
// was stripped, or whose resource was restored from a backup.
//
// No stray goes by itself. A session judges all of them together, by what the API
// server says of the Credentials (judge, pure), and where the verdict is that they
// are held, they stay until somebody releases them (Guard). The copies that were
// asked to stay for good become ordinary Secrets (Kept).
//
// Of Secrets it sees metadata only. The package must not import other reconcilers,
// webhooks or the injector.
package strays
