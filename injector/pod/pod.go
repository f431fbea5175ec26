// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Pod is the part of a pod, or of a pod template, that is read.
type Pod struct {
	Metadata Metadata `json:"metadata"`
	Spec     *Spec    `json:"spec"`
}

// Metadata is the part of an object's metadata that is read.
type Metadata struct {
	present         bool
	Name            string            `json:"name"`
	GenerateName    string            `json:"generateName"`
	Annotations     map[string]string `json:"annotations"`
	OwnerReferences []OwnerReference  `json:"ownerReferences"`
}

// OwnerReference is the part of an owner reference that says who controls a pod.
type OwnerReference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Controller bool   `json:"controller"`
}

// Spec is the part of a pod's spec that is read. A slice is nil where
// the document has none, and not where it has an empty one.
type Spec struct {
	SecurityContext  *SecurityContext `json:"securityContext"`
	Volumes          []Volume         `json:"volumes"`
	InitContainers   []*Container     `json:"initContainers"`
	Containers       []*Container     `json:"containers"`
	ImagePullSecrets []LocalReference `json:"imagePullSecrets"`
}

// SecurityContext is that of a pod or of a container.
type SecurityContext struct {
	RunAsUser    *int64 `json:"runAsUser"`
	RunAsNonRoot *bool  `json:"runAsNonRoot"`
	FSGroup      *int64 `json:"fsGroup"`
}

// Container is the part of a container that is read.
type Container struct {
	Name            string           `json:"name"`
	Image           string           `json:"image"`
	Env             []EnvVar         `json:"env"`
	EnvFrom         []EnvFromSource  `json:"envFrom"`
	VolumeMounts    []VolumeMount    `json:"volumeMounts"`
	VolumeDevices   []VolumeDevice   `json:"volumeDevices"`
	SecurityContext *SecurityContext `json:"securityContext"`
	WorkingDir      Text             `json:"workingDir"`
	// What tells a container of ours from another.
	Command       Texts `json:"command"`
	Args          Texts `json:"args"`
	RestartPolicy Text  `json:"restartPolicy"`
}

// EnvVar is an environment variable, as read and as written.
type EnvVar struct {
	Name      string        `json:"name"`
	Value     Text          `json:"value,omitempty"`
	ValueFrom *EnvVarSource `json:"valueFrom,omitempty"`
}

// EnvVarSource is where a variable comes from.
type EnvVarSource struct {
	SecretKeyRef *SecretKeyRef `json:"secretKeyRef,omitempty"`
}

// SecretKeyRef names a key of a Secret.
type SecretKeyRef struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

// EnvFromSource is a set of variables, as read and as written.
type EnvFromSource struct {
	Prefix    string          `json:"prefix,omitempty"`
	SecretRef *LocalReference `json:"secretRef,omitempty"`
}

// LocalReference names an object in the pod's namespace.
type LocalReference struct {
	Name string `json:"name"`
}

// VolumeMount is a mount, as read and as written.
type VolumeMount struct {
	Name      string `json:"name"`
	ReadOnly  bool   `json:"readOnly,omitzero"`
	MountPath string `json:"mountPath"`
	SubPath   string `json:"subPath,omitempty"`
	SubExpr   string `json:"subPathExpr,omitempty"`
}

// VolumeDevice is a block device in a container.
type VolumeDevice struct {
	DevicePath string `json:"devicePath"`
}

// Volume is a volume, as read and as written.
type Volume struct {
	Name      string           `json:"name"`
	Secret    *SecretVolume    `json:"secret,omitempty"`
	Image     *ImageVolume     `json:"image,omitempty"`
	EmptyDir  *EmptyDirVolume  `json:"emptyDir,omitempty"`
	ConfigMap *ConfigMapVolume `json:"configMap,omitempty"`
}

// SecretVolume is a volume with the keys of a Secret as files.
type SecretVolume struct {
	SecretName  string      `json:"secretName"`
	DefaultMode *int32      `json:"defaultMode,omitempty"`
	Items       []KeyToPath `json:"items,omitempty"`
	Optional    bool        `json:"optional,omitzero"`
}

// EmptyDirVolume is a volume that is empty at first.
type EmptyDirVolume struct {
	SizeLimit jsontext.Value `json:"sizeLimit,omitzero"` // a string or a number
}

// ConfigMapVolume is a volume with the keys of a ConfigMap as files.
type ConfigMapVolume struct {
	Name  string      `json:"name"`
	Items []KeyToPath `json:"items,omitempty"`
}

// KeyToPath is a key and the file that it becomes.
type KeyToPath struct {
	Key  string `json:"key"`
	Path string `json:"path"`
	Mode *int32 `json:"mode,omitempty"`
}

// ImageVolume is a volume with the content of an image.
type ImageVolume struct {
	Reference string `json:"reference"`
}

// Present says whether the document has metadata at all, which decides what an
// operation may add to.
func (m *Metadata) Present() bool { return m.present }

// UnmarshalJSONFrom notes that there is metadata.
func (m *Metadata) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	type plain Metadata
	if decoder.PeekKind() == 'n' {
		return decoder.SkipValue()
	}
	if err := json.UnmarshalDecode(decoder, (*plain)(m)); err != nil {
		return err
	}
	m.present = true
	return nil
}

// Decode reads a pod or a pod template, as DecodeInto does. The error is an
// *Error.
func Decode(document []byte) (*Pod, error) {
	pod := &Pod{}
	if err := json.Unmarshal(document, pod); err != nil {
		return nil, Explain(err).NotA("pod")
	}
	return pod, pod.Validate()
}

// maxContainers is far more than anybody has. What is done for a pod takes time and
// memory for each of its containers.
const maxContainers = 1000

// Validate refuses documents that no operation could be written against, or none in
// reasonable time. The error is an *Error.
func (p *Pod) Validate() error {
	if p.Spec == nil {
		return &Error{Problem: "not a pod: it has no spec"}
	}
	for _, list := range p.Spec.ContainerLists() {
		if n := len(list.Containers); n > maxContainers {
			pointer := "/spec/" + list.Field
			return &Error{Problem: fmt.Sprintf("not a pod that can be decided about: %s has %d items, more than %d", pointer, n, maxContainers), Pointer: pointer}
		}
		for i, container := range list.Containers {
			if container == nil {
				pointer := fmt.Sprintf("/spec/%s/%d", list.Field, i)
				return &Error{Problem: "not a pod: " + pointer + " is null", Pointer: pointer}
			}
		}
	}
	return nil
}

// ContainerList is one of the lists of containers, with its name in the document.
type ContainerList struct {
	Field      string
	Containers []*Container
}

// ContainerLists returns both lists of containers.
func (s *Spec) ContainerLists() [2]ContainerList {
	return [2]ContainerList{{"initContainers", s.InitContainers}, {"containers", s.Containers}}
}

// WorkloadName names the pod or what controls it, as far as the document tells: a
// pod that is being created often has no name yet.
func (p *Pod) WorkloadName() string {
	if p == nil {
		return ""
	}
	if owner, ok := p.Metadata.Controller(); ok {
		return owner.Kind + "/" + owner.Name
	}
	if p.Metadata.Name != "" {
		return "Pod/" + p.Metadata.Name
	}
	return "Pod/" + p.Metadata.GenerateName
}

// Controller returns the reference to the object that controls the pod.
func (m *Metadata) Controller() (OwnerReference, bool) {
	for _, reference := range m.OwnerReferences {
		if reference.Controller {
			return reference, true
		}
	}
	return OwnerReference{}, false
}
