// SPDX-License-Identifier: Apache-2.0

package credential

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
)

// Names of roles. A role is what a data key is to a type, however it is spelt.
const (
	RoleAccessKeyID     = "accessKeyId"
	RoleSecretAccessKey = "secretAccessKey"
	RoleUsername        = "username"
	RolePassword        = "password"
	RolePrivateKey      = "privateKey"
	RoleKnownHosts      = "knownHosts"
)

// Role is a part that a type needs, with the data keys that may play it.
type Role struct {
	// Name is what references may write instead of the key.
	Name string
	// Keys are the spellings; the first that exists plays the role, and a new
	// Secret gets the first.
	Keys []string
	// Optional roles may have no key.
	Optional bool
}

// Delivery is how a credential reaches a pod that just names it.
type Delivery string

// The deliveries.
const (
	// DeliverPullSecret appends to imagePullSecrets.
	DeliverPullSecret Delivery = "imagePullSecrets"
	// DeliverEnv sets the variables of Definition.Env.
	DeliverEnv Delivery = "env"
	// DeliverEnvFrom sets a variable for each key.
	DeliverEnvFrom Delivery = "envFrom"
	// DeliverMount mounts the Secret below DefaultMountRoot.
	DeliverMount Delivery = "mount"
)

// DefaultMountRoot holds the directories of credentials that are mounted by
// default, one for each, by name.
const DefaultMountRoot = "/etc/credence/"

// DefaultVariable is an environment variable of a type's default injection.
type DefaultVariable struct {
	// Name of the variable, or what follows the credential's own prefix
	// (VariablePrefix) where Prefixed.
	Name     string
	Prefixed bool
	// Role is read from the key that plays it.
	Role string
}

// Definition is all that distinguishes one type of credential from another.
type Definition struct {
	Type v1alpha1.CredentialType
	// NewSecretType is the Secret type of sources that Credence creates.
	NewSecretType corev1.SecretType
	// CopyType is the Secret type of copies. It depends on nothing else, because a
	// Secret's type is immutable.
	CopyType corev1.SecretType
	// SourceLabel is the value of the label run.ai/resource on sources made in
	// advance.
	SourceLabel string
	// NamePrefix and the credential's name make the Kubernetes name.
	NamePrefix string
	// Roles that the keys play. A type without roles takes any keys.
	Roles []Role
	// Delivery is the default injection, Env its variables for DeliverEnv.
	Delivery Delivery
	Env      []DefaultVariable
	// Registries says that the value is a docker config, whose registries make the
	// credential usable automatically.
	Registries bool
}

// definitions is the table of all types. A new type is a new entry here, a value
// of v1alpha1.CredentialType with its enum marker, and golden cases in
// injector/testdata.
var definitions = [...]Definition{
	{
		Type:          v1alpha1.DockerRegistry,
		NewSecretType: corev1.SecretTypeDockerConfigJson,
		CopyType:      corev1.SecretTypeDockerConfigJson,
		SourceLabel:   "docker-registry",
		NamePrefix:    "dockerregistry-",
		Roles:         []Role{{Name: corev1.DockerConfigJsonKey, Keys: []string{corev1.DockerConfigJsonKey}}},
		Delivery:      DeliverPullSecret,
		Registries:    true,
	},
	{
		Type:          v1alpha1.AccessKey,
		NewSecretType: corev1.SecretTypeOpaque,
		CopyType:      corev1.SecretTypeOpaque,
		SourceLabel:   "access-key",
		NamePrefix:    "accesskey-",
		Roles: []Role{
			{Name: RoleAccessKeyID, Keys: []string{"AccessKeyId", "accessKeyId", "AWS_ACCESS_KEY_ID", "aws_access_key_id"}},
			{Name: RoleSecretAccessKey, Keys: []string{"SecretKey", "secretAccessKey", "AWS_SECRET_ACCESS_KEY", "aws_secret_access_key"}},
		},
		Delivery: DeliverEnv,
		Env: []DefaultVariable{
			{Name: "AWS_ACCESS_KEY_ID", Role: RoleAccessKeyID},
			{Name: "AWS_SECRET_ACCESS_KEY", Role: RoleSecretAccessKey},
		},
	},
	{
		Type:          v1alpha1.Password,
		NewSecretType: corev1.SecretTypeBasicAuth,
		CopyType:      corev1.SecretTypeOpaque,
		SourceLabel:   "password",
		NamePrefix:    "password-",
		Roles: []Role{
			{Name: RoleUsername, Keys: []string{"username", "User", "user"}},
			{Name: RolePassword, Keys: []string{"password", "Password"}},
		},
		Delivery: DeliverEnv,
		Env: []DefaultVariable{
			{Name: "_USERNAME", Prefixed: true, Role: RoleUsername},
			{Name: "_PASSWORD", Prefixed: true, Role: RolePassword},
		},
	},
	{
		Type:          v1alpha1.SSHKey,
		NewSecretType: corev1.SecretTypeSSHAuth,
		CopyType:      corev1.SecretTypeOpaque,
		SourceLabel:   "generic",
		NamePrefix:    "sshkey-",
		Roles: []Role{
			{Name: RolePrivateKey, Keys: []string{"ssh-privatekey", "ssh"}},
			{Name: RoleKnownHosts, Keys: []string{"known_hosts"}, Optional: true},
		},
		Delivery: DeliverMount,
	},
	{
		Type:          v1alpha1.Generic,
		NewSecretType: corev1.SecretTypeOpaque,
		CopyType:      corev1.SecretTypeOpaque,
		SourceLabel:   "generic",
		NamePrefix:    "genericsecret-",
		Delivery:      DeliverEnvFrom,
	},
}

// DefinitionOf returns the definition of a type, and whether there is one.
func DefinitionOf(t v1alpha1.CredentialType) (*Definition, bool) {
	for i := range definitions {
		if definitions[i].Type == t {
			return &definitions[i], true
		}
	}
	return nil, false
}

// Definitions returns every type, in the order people are shown them.
func Definitions() []Definition {
	return append([]Definition(nil), definitions[:]...)
}
