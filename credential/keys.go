// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Keys pairs the data keys of a Secret with the roles they play for the type,
// sorted by key. The error names the first role that no key plays, and the
// spellings that would.
func (d *Definition) Keys(dataKeys []string) ([]v1alpha1.SecretKey, error) {
	sorted := slices.Sorted(slices.Values(dataKeys))
	keys := make([]v1alpha1.SecretKey, len(sorted))
	for i, key := range sorted {
		keys[i].Key = key
	}
	if len(keys) > v1alpha1.MaxStatusKeys {
		return nil, fmt.Errorf("has %d keys, and at most %d are supported", len(keys), v1alpha1.MaxStatusKeys)
	}
	for _, role := range d.Roles {
		i := slices.IndexFunc(role.Keys, func(spelling string) bool {
			return slices.Contains(sorted, spelling)
		})
		if i >= 0 {
			at, _ := slices.BinarySearch(sorted, role.Keys[i])
			keys[at].Role = role.Name
		} else if !role.Optional {
			return nil, role.missing()
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("has no keys; put the values into it")
	}
	return keys, nil
}

func (r *Role) missing() error {
	if len(r.Keys) == 1 {
		return fmt.Errorf("has no key %s", r.Keys[0])
	}
	return fmt.Errorf("has no key for %s: one of %s", r.Name, strings.Join(r.Keys, ", "))
}

// FindKey returns the data key that a reference means: the exact key first, else
// the key that plays the role of that name.
func FindKey(keys []v1alpha1.SecretKey, reference string) (string, bool) {
	for i := range keys {
		if keys[i].Key == reference {
			return reference, true
		}
	}
	for i := range keys {
		if reference != "" && keys[i].Role == reference { // most keys have no role
			return keys[i].Key, true
		}
	}
	return "", false
}

// AssumedKeys are the keys of a Secret that was never seen: the first spelling of
// every role.
func (d *Definition) AssumedKeys() []v1alpha1.SecretKey {
	keys := make([]v1alpha1.SecretKey, 0, len(d.Roles))
	for _, role := range d.Roles {
		keys = append(keys, v1alpha1.SecretKey{Key: role.Keys[0], Role: role.Name})
	}
	return keys
}
