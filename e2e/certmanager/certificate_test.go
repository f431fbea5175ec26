// SPDX-License-Identifier: Apache-2.0

package certmanager

import (
	"bytes"
	"context"
	"encoding/pem"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// leaves are the Secrets of the certificates that Credence serves with: those of its
// Certificates that are not a CA's. What they are called is the chart's business.
func (w *world) leaves() []client.ObjectKey {
	w.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "CertificateList"})
	w.must(w.client.List(w.Context(), list, client.InNamespace(installNamespace)))
	var leaves []client.ObjectKey
	for _, certificate := range list.Items {
		isCA, _, err := unstructured.NestedBool(certificate.Object, "spec", "isCA")
		w.must(err)
		name, _, err := unstructured.NestedString(certificate.Object, "spec", "secretName")
		w.must(err)
		if !isCA {
			leaves = append(leaves, client.ObjectKey{Namespace: installNamespace, Name: name})
		}
	}
	if len(leaves) == 0 {
		w.Fatalf("namespace %s has no Certificate to serve with: install Credence there with certs.mode=cert-manager", installNamespace)
	}
	return leaves
}

// leaf is the certificate in a Secret, nil if there is none yet.
func (w *world) leaf(ctx context.Context, key client.ObjectKey) ([]byte, error) {
	secret := &corev1.Secret{}
	if err := w.client.Get(ctx, key, secret); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	if block == nil {
		return nil, nil
	}
	return block.Bytes, nil
}

// renew has cert-manager make another certificate, by taking the one that is there
// away, and returns it.
func (w *world) renew(key client.ObjectKey) (renewed []byte) {
	w.Helper()
	before, err := w.leaf(w.Context(), key)
	w.must(err)
	if before == nil {
		w.Fatalf("Secret %s has no certificate", key)
	}
	w.must(w.client.Delete(w.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}))
	w.eventually("cert-manager makes Secret "+key.String()+" again", func(ctx context.Context) (bool, error) {
		renewed, err = w.leaf(ctx, key)
		return renewed != nil && !bytes.Equal(renewed, before), err
	})
	return renewed
}
