// SPDX-License-Identifier: Apache-2.0

// Command pause holds the namespaces of a pod, and waits to be ended.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGINT, syscall.SIGTERM)
	<-asked
}
