// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"bytes"
	"fmt"

	"gomodules.xyz/jsonpatch/v2"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// configuration is what both kinds of webhook configuration have in common.
type configuration struct {
	name    string
	object  client.Object
	entries []entry
}

type entry struct {
	name     string
	caBundle []byte
}

func mutatingConfiguration(object *admissionregistrationv1.MutatingWebhookConfiguration) configuration {
	c := configuration{name: "MutatingWebhookConfiguration " + object.Name, object: object}
	for _, webhook := range object.Webhooks {
		c.entries = append(c.entries, entry{webhook.Name, webhook.ClientConfig.CABundle})
	}
	return c
}

func validatingConfiguration(object *admissionregistrationv1.ValidatingWebhookConfiguration) configuration {
	c := configuration{name: "ValidatingWebhookConfiguration " + object.Name, object: object}
	for _, webhook := range object.Webhooks {
		c.entries = append(c.entries, entry{webhook.Name, webhook.ClientConfig.CABundle})
	}
	return c
}

// publication sets the caBundle of the entries that differ. Each index is guarded by the entry's name, so a patch that meets
// another list than the one that was read fails as a whole.
func (c configuration) publication(bundle []byte) []jsonpatch.Operation {
	var operations []jsonpatch.Operation
	for i, entry := range c.entries {
		if bytes.Equal(entry.caBundle, bundle) {
			continue
		}
		at := fmt.Sprintf("/webhooks/%d", i)
		operations = append(operations,
			jsonpatch.NewOperation("test", at+"/name", entry.name),
			jsonpatch.NewOperation("add", at+"/clientConfig/caBundle", bundle))
	}
	return operations
}
