// SPDX-License-Identifier: Apache-2.0

// Package kinds deals with WorkloadKinds: whether the kind is there and has pod
// templates where they say, that its objects are followed, and that the API server
// asks the webhook about them. What is thought of one is decided in judge.go, and by
// the schema of its definition in schema.go; configuration.go has what the webhook is
// asked about.
//
// It must not import reconcilers, webhooks or the injector, but for what the kinds of
// workload are.
package kinds
