// SPDX-License-Identifier: Apache-2.0

// Package node makes the image that kind runs as a node, where none can be pulled: of
// Debian's packages, the files of kind's own image, and Kubernetes compiled from its
// module. It is as near to kind's published image as that allows; what differs is
// Debian's containerd, and that it brings no network for pods.
package node
