// SPDX-License-Identifier: Apache-2.0

// Package search finds items of lists by name and by path. The lists come from pods
// that nobody has validated yet, and one author can make them very long: nothing here
// compares every item with every other. Short lists are gone through, without
// allocating anything.
//
// It is pure, and must import no other package of this module.
package search
