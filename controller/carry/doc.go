// SPDX-License-Identifier: Apache-2.0

// Package carry deals with workloads whose annotations are not on their pod templates,
// because the webhook was not there when they were written: it tells of them, and
// carries where that is asked for. Which they are is known to the index, by package
// injector/workload.
//
// It must not import other reconcilers, webhooks or the injector, but for what the
// kinds of workload are.
package carry
