// SPDX-License-Identifier: Apache-2.0

// Package admission serves reviews: it reads them within bounds on what all of them
// hold, has an Inquiry decide, and answers, logs and counts.
//
// It has a handler of its own, because decoding a review into typed objects is most
// of what controller-runtime's costs. It knows neither pods nor credentials: what a
// review is about, an entry decodes and decides. It must not import any other package
// of this module but injector/patch, which writes patches.
package admission
