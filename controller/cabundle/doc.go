// SPDX-License-Identifier: Apache-2.0

// Package cabundle keeps the certificates of the cluster where data sources are
// fetched: a ConfigMap of the install namespace, with a copy of the same name in every
// project with workloads or templates that use a Git or S3 DataSource.
//
// A ConfigMap of the name that is not a copy is never touched, whoever made it. Of all
// others nothing is ever asked: the name is in every request, so that the rights can be
// held to it.
//
// It must not import webhooks, the injector or other reconcilers.
package cabundle
