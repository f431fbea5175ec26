// SPDX-License-Identifier: Apache-2.0

// Package demo shows Credence at work on a real control plane on this machine: it
// installs the chart, runs the processes, creates what is in objects/, and prints
// what every pod was given.
package demo
