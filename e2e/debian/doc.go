// SPDX-License-Identifier: Apache-2.0

// Package debian takes programs and file systems from Debian's packages, for
// machines that can pull no images. It needs a Debian and root.
package debian
