// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
)

// The network of the engine: a namespace with one link to this machine, and behind it
// the network of the nodes. Nothing leads out of it.
const (
	namespace     = "credence-e2e"
	namespaceFile = "/run/netns/" + namespace
	outsideLink   = "credence-e2e"
	insideLink    = "machine"
)

var (
	outside = netip.MustParseAddr("10.213.255.1")
	inside  = netip.MustParseAddr("10.213.255.2")
	// Nodes is the range that nodes get their addresses from.
	Nodes = netip.MustParsePrefix("10.213.0.0/20")
)

func makeNetwork(ctx context.Context) error {
	if _, err := os.Stat(namespaceFile); err == nil {
		return nil // from before: the engine has ended otherwise than by Stop
	}
	for _, args := range [][]string{
		{"netns", "add", namespace},
		{"link", "add", outsideLink, "type", "veth", "peer", "name", insideLink, "netns", namespace},
		{"address", "add", outside.String() + "/30", "dev", outsideLink},
		{"link", "set", outsideLink, "up"},
		{"-n", namespace, "address", "add", inside.String() + "/30", "dev", insideLink},
		{"-n", namespace, "link", "set", insideLink, "up"},
		{"-n", namespace, "link", "set", "lo", "up"},
		// Programs look for one, to learn which address is theirs.
		{"-n", namespace, "route", "add", "default", "via", outside.String()},
		{"route", "add", Nodes.String(), "via", inside.String()},
	} {
		if err := ip(ctx, args...); err != nil {
			return errors.Join(err, removeNetwork(ctx))
		}
	}
	// Before dockerd, which otherwise forbids what it does not forward itself.
	forward := exec.CommandContext(ctx, "nsenter", "--net="+namespaceFile, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
	if said, err := forward.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("forwarding packets in %s: %w: %s", namespace, err, said), removeNetwork(ctx))
	}
	return nil
}

// removeNetwork removes the namespace, and with it the link, routes, bridges and rules.
func removeNetwork(ctx context.Context) error {
	if _, err := os.Stat(namespaceFile); os.IsNotExist(err) {
		return nil
	}
	return ip(ctx, "netns", "delete", namespace)
}

func ip(ctx context.Context, args ...string) error {
	if said, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return nil
}
