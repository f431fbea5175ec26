// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// limits are how much nodes need of what all containers of a machine share. With
// Linux's own, the third or fourth node does not start (kind's known issue "too many
// open files").
var limits = map[string]int{
	"/proc/sys/fs/inotify/max_user_instances": 1024,
	"/proc/sys/fs/inotify/max_user_watches":   524288,
}

// raiseLimits raises those that are lower, and writes down what they were.
func (o *own) raiseLimits() error {
	for file, wanted := range limits {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		now, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if now >= wanted {
			continue
		}
		if err := os.WriteFile(o.path("limit-"+filepath.Base(file)), text, 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(strconv.Itoa(wanted)), 0o644); err != nil {
			return fmt.Errorf("raising %s: %w", file, err)
		}
	}
	return nil
}

// restoreLimits gives the machine back the limits that it had.
func (o *own) restoreLimits() error {
	var all []error
	for file := range limits {
		note := o.path("limit-" + filepath.Base(file))
		before, err := os.ReadFile(note)
		if os.IsNotExist(err) {
			continue
		}
		all = append(all, err, os.WriteFile(file, before, 0o644), os.Remove(note))
	}
	return errors.Join(all...)
}
