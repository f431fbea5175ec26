// SPDX-License-Identifier: Apache-2.0

// Package assets says in the status of Environments, DataSources and
// WorkloadTemplates whether all that they refer to can be had, and who uses them.
//
// It decides neither: package check knows what is wrong with an asset, and package
// users who uses what. It must not import other reconcilers.
package assets
