// SPDX-License-Identifier: Apache-2.0

package copies

import (
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Secret returns an empty object of the kind that stands for Secrets in our
// caches: their metadata.
func Secret() *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}}
}

// Secrets returns an empty list of Secret.
func Secrets() *metav1.PartialObjectMetadataList {
	return &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "SecretList"}}
}

// Copy is what the metadata of a copy tells.
type Copy struct {
	types.NamespacedName
	UID             types.UID
	ResourceVersion string
	// CredentialName and CredentialUID say whose copy it is.
	CredentialName string
	CredentialUID  types.UID
	// Fingerprint of the values that Credence last wrote.
	Fingerprint string
	// RotatedAt is when those took the place of others, zero if they never did.
	RotatedAt time.Time
	// Edited says that somebody else is on record as a writer of the data.
	Edited bool
}

// Read reads a Secret's metadata. It says false for one that is not a copy of
// ours: it must carry all four marks, so that a Secret that somebody labelled
// by mistake is never taken for one.
func Read(secret *metav1.PartialObjectMetadata) (Copy, bool) {
	c := Copy{
		NamespacedName:  types.NamespacedName{Namespace: secret.Namespace, Name: secret.Name},
		UID:             secret.UID,
		ResourceVersion: secret.ResourceVersion,
		CredentialName:  secret.Labels[v1alpha1.LabelCopyOf],
		CredentialUID:   types.UID(secret.Annotations[v1alpha1.AnnotationCopyOfUID]),
		Fingerprint:     secret.Annotations[v1alpha1.AnnotationFingerprint],
		Edited:          len(foreignWriters(secret.ManagedFields)) > 0,
	}
	if at, err := time.Parse(time.RFC3339, secret.Annotations[v1alpha1.AnnotationRotatedAt]); err == nil {
		c.RotatedAt = at
	}
	ours := c.CredentialName != "" && c.CredentialUID != "" && c.Fingerprint != "" &&
		secret.Labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedByCredence
	return c, ours
}

// Slim is the cache transform for Secrets: it keeps what Read needs, and the mark
// of a source whose Credential is still to come. Other annotations go, because that
// of kubectl apply holds the values themselves, and so does the bookkeeping of
// fields, which is most of an object's metadata. A Secret with its data is refused:
// no cache of ours may hold one.
func Slim(object any) (any, error) {
	secret, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return nil, fmt.Errorf("only the metadata of Secrets is cached, not %T", object)
	}
	secret.ManagedFields = foreignWriters(secret.ManagedFields)
	kept := map[string]string{}
	for _, key := range []string{v1alpha1.AnnotationCopyOfUID, v1alpha1.AnnotationFingerprint, v1alpha1.AnnotationRotatedAt, v1alpha1.AnnotationPending} {
		if value, ok := secret.Annotations[key]; ok {
			kept[key] = value
		}
	}
	secret.Annotations = kept
	return secret, nil
}

// foreignWriters returns the entries of managers other than ours that wrote data,
// with nothing but that fact in them.
func foreignWriters(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	var foreign []metav1.ManagedFieldsEntry
	for _, entry := range entries {
		if entry.Manager == v1alpha1.FieldManager {
			continue
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
			continue
		}
		_, data := fields["f:data"]
		// What is applied as stringData becomes data without anybody's name on that.
		_, text := fields["f:stringData"]
		if data || text {
			foreign = append(foreign, metav1.ManagedFieldsEntry{
				Manager: entry.Manager, FieldsV1: metav1.NewFieldsV1(`{"f:data":{}}`)})
		}
	}
	return foreign
}

// Wanted is what every copy of one credential is to be.
type Wanted struct {
	Credential types.NamespacedName
	UID        types.UID
	// Name and Type of the Secret.
	Name string
	Type corev1.SecretType
	// Fingerprint of the values.
	Fingerprint string
	// Ending says that the credential is being deleted. The values of a copy that goes
	// are then kept in memory, until the credential goes too.
	Ending bool
	values map[string][]byte
}

// Fill returns the same with the values of a source. Without them nothing can be
// written, and copies that are there count as they are.
func (w Wanted) Fill(values map[string][]byte, fingerprint string) Wanted {
	w.values, w.Fingerprint = values, fingerprint
	return w
}

// Filled says whether the values are there.
func (w Wanted) Filled() bool { return w.values != nil }

// String keeps the values out of whatever prints it.
func (w Wanted) String() string { return "copies of " + w.Credential.String() }

// GoString is String, for %#v.
func (w Wanted) GoString() string { return w.String() }

// secret makes the copy for a namespace. Nothing of the source's metadata is in
// it: labels of Argo CD or another operator would have them prune it
// (ClusterSecret#146, replicator#189), and an owner in another namespace would
// have it collected (replicator#120).
func (w Wanted) secret(namespace string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace,
			Name:      w.Name,
			Labels: map[string]string{
				v1alpha1.LabelCopyOf:    w.Credential.Name,
				v1alpha1.LabelManagedBy: v1alpha1.ManagedByCredence,
			},
			Annotations: map[string]string{
				v1alpha1.AnnotationCopyOfUID:   string(w.UID),
				v1alpha1.AnnotationFingerprint: w.Fingerprint,
			},
		},
		Type: w.Type,
		Data: w.values,
	}
}
