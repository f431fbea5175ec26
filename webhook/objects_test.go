// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"encoding/json"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/api/v1alpha1"
)

const reviewUID = types.UID("4d2f1d0e-6b1e-4d0c-9f3c-0a1b2c3d4e5f")

// reviewOf is the creation of a pod as an API server asks about it.
func reviewOf(namespace string, pod []byte) []byte {
	return marshal(review(namespace, pod))
}

func review(namespace string, pod []byte) *admissionv1.AdmissionReview {
	kind := metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}
	resource := metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	dryRun := false
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{Kind: "AdmissionReview", APIVersion: "admission.k8s.io/v1"},
		Request: &admissionv1.AdmissionRequest{
			UID: reviewUID, Kind: kind, Resource: resource, RequestKind: &kind, RequestResource: &resource,
			Namespace: namespace, Operation: admissionv1.Create, DryRun: &dryRun,
			UserInfo: authenticationv1.UserInfo{
				Username: "system:serviceaccount:kube-system:replicaset-controller", UID: "5c8e7a0d-2b0f-4d6b-8f51-1f1b0c9d7e11",
				Groups: []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"},
				Extra:  map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=0b9d2f3e-7c53-4a2c-9a0b-6f1d5e4c3b2a"}},
			},
			Object:  runtime.RawExtension{Raw: pod},
			Options: runtime.RawExtension{Raw: []byte(`{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}`)},
		},
	}
}

func marshal(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // what tests make can be encoded
	}
	return text
}

// podWith is a pod with annotations and one container.
func podWith(annotations map[string]string) string {
	return string(marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"generateName": "web-", "annotations": annotations},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": "web", "image": "registry.example.com/web:1"}}},
	}))
}

// naming is a pod that names credentials.
func naming(names ...string) string {
	return podWith(map[string]string{v1alpha1.AnnotationCredentials: strings.Join(names, ", ")})
}

func namespace(name string, labels map[string]string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
	}
}

// project is a namespace that is one, of a department if it is not empty.
func project(name, department string) *metav1.PartialObjectMetadata {
	labels := map[string]string{v1alpha1.LabelProject: name}
	if department != "" {
		labels[v1alpha1.LabelDepartment] = department
	}
	return namespace(name, labels)
}

// generic is a credential that is ready, with one key. The scope follows from the
// namespace and the department.
func generic(namespace, name, department string) *v1alpha1.Credential {
	scope := v1alpha1.Scope{Level: v1alpha1.ScopeProject}
	switch {
	case department != "":
		scope = v1alpha1.Scope{Level: v1alpha1.ScopeDepartment, Department: department}
	case namespace == systemNamespace:
		scope.Level = v1alpha1.ScopeCluster
	}
	return &v1alpha1.Credential{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1},
		Spec:       v1alpha1.CredentialSpec{Type: v1alpha1.Generic, Scope: scope, SecretRef: v1alpha1.SecretReference{Name: name}},
		Status:     v1alpha1.CredentialStatus{ObservedGeneration: 1, Keys: []v1alpha1.SecretKey{{Key: "KEY_OF_" + strings.ToUpper(name)}}},
	}
}

// behind is the credential before the controller has seen it.
func behind(c *v1alpha1.Credential) *v1alpha1.Credential {
	c = c.DeepCopy()
	c.Status = v1alpha1.CredentialStatus{}
	return c
}

// registry is a registry login of the cluster that is ready.
func registry(name string, registries ...string) *v1alpha1.Credential {
	c := generic(systemNamespace, name, "")
	c.Spec.Type = v1alpha1.DockerRegistry
	c.Status.Keys = []v1alpha1.SecretKey{{Key: ".dockerconfigjson"}}
	c.Status.Registries = registries
	return c
}
