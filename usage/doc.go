// SPDX-License-Identifier: Apache-2.0

// Package usage knows who uses what: for every workload and template, the
// credentials, assets and Secrets that it refers to.
//
// An Index holds it, of objects made slim by package object, and a Follower keeps
// it in step with a cluster, by one watch for each kind. It must not import
// webhooks, controllers or certificates, and never sees a Secret.
package usage
