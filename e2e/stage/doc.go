// SPDX-License-Identifier: Apache-2.0

// Package stage puts into a cluster what scenarios are played against: registries
// with logins, a Git server and an S3 server. They are the real programs, in images
// made without a container engine. The logins are made anew each time, and never
// printed.
//
// It knows nothing of Credence but what data sources are fetched with, and nothing of
// how a cluster is made.
package stage
