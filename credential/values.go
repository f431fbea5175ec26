// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// checkValues refuses values that are forgotten: that of a key whose role the type
// needs, or all of them where no role is. Others may be empty, as that of an
// optional role or a flag among a generic secret's keys. The error follows the name
// of the Secret.
func (d *Definition) checkValues(secret *corev1.Secret, keys []v1alpha1.SecretKey) error {
	empty := 0
	for _, key := range keys {
		if !isEmpty(secret, key.Key) {
			continue
		}
		empty++
		if d.needs(key.Role) {
			return fmt.Errorf("has an empty value for key %s; put the %s there", key.Key, key.Role)
		}
	}
	if empty == len(keys) {
		return fmt.Errorf("has no value: key %s is empty%s; put the values there", keys[0].Key, others(empty-1))
	}
	return nil
}

func isEmpty(secret *corev1.Secret, key string) bool {
	if text, ok := secret.StringData[key]; ok { // only in manifests read from a file
		return text == ""
	}
	return len(secret.Data[key]) == 0
}

func (d *Definition) needs(role string) bool {
	for i := range d.Roles {
		if d.Roles[i].Name == role {
			return !d.Roles[i].Optional
		}
	}
	return false
}

func others(count int) string {
	switch count {
	case 0:
		return ""
	case 1:
		return ", and so is the other one"
	}
	return fmt.Sprintf(", and so are the %d others", count)
}
