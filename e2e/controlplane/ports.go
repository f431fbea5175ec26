// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// loopback is the only address that anything here listens on.
const loopback = "127.0.0.1"

// Ports are taken below 32768, where Linux begins to take those of outgoing
// connections: such a port is still free when the API server comes back to it.
const lowestPort, highestPort = 20000, 29999

// freePort returns a port of the loopback address that nobody listens on now.
func freePort() (int, error) {
	const attempts = 50
	var last error
	for range attempts {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		listener, err := net.Listen("tcp", onLoopback(port))
		if err != nil {
			last = err
			continue
		}
		if err := listener.Close(); err != nil {
			return 0, fmt.Errorf("giving back a free port: %w", err)
		}
		return port, nil
	}
	return 0, fmt.Errorf("finding a free port: %w", last)
}

func onLoopback(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// retryOtherPort calls start again, which takes another port each time, when
// somebody took its port in the moment between finding and listening.
func retryOtherPort(start func() error) error {
	const attempts = 3
	var err error
	for range attempts {
		if err = start(); !errors.Is(err, errAddressInUse) {
			return err
		}
	}
	return err
}
