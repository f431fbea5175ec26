// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/usage/object"
)

// Query asks about one credential, or about one asset.
type Query struct {
	// Kind is that of an asset, such as "Environment"; empty for a credential.
	Kind string
	// Name is what workloads write in annotations, and Secret the name of the Secret
	// that pods refer to, which an asset has none of.
	Name, Secret string
	// Namespaces are those where the name means this credential or asset.
	Namespaces []string
}

// id names what is asked about, in one namespace.
func (q *Query) id(namespace string) object.ID {
	return object.ID{Kind: kindOf(q.Kind), Namespace: namespace, Name: q.Name}
}

// kindOf is the kind of a credential or an asset by its word.
func kindOf(word string) object.Kind {
	switch word {
	case "":
		return object.Credential
	case object.Environment.Value().Kind:
		return object.Environment
	case object.DataSource.Value().Kind:
		return object.DataSource
	case object.WorkloadTemplate.Value().Kind:
		return object.WorkloadTemplate
	}
	return object.Kind{}
}

// User is a workload or template that refers to a credential or an asset: the top-level
// owner of what runs, or what is to run.
type User struct {
	// Kind as people write it, such as "Deployment".
	Kind string
	types.NamespacedName
}

// String is "<Kind> <namespace>/<name>", as a status names users.
func (u User) String() string { return u.Kind + " " + u.NamespacedName.String() }

// Compare orders users as all lists of them are sorted: by namespace, kind and name.
func (u User) Compare(other User) int {
	return cmp.Or(cmp.Compare(u.Namespace, other.Namespace), cmp.Compare(u.Kind, other.Kind), cmp.Compare(u.Name, other.Name))
}

// Users are who uses a credential or an asset. All lists are sorted, and name nobody twice.
type Users struct {
	Workloads []User
	Templates []User
	// Automatic are workloads that got a credential only as an automatic pull secret.
	Automatic []User
}

// Reader is a live pod that reads a credential through environment variables.
type Reader struct {
	Pod types.NamespacedName
	// Workload is the Deployment, StatefulSet or DaemonSet that would replace the
	// pod when its template changes. Zero where there is none: bare pods, those of
	// Jobs, and those of kinds that somebody else rolls.
	Workload Workload
	// StartedAt is when the first of the reading containers that runs now was
	// started, in full seconds. Zero if none of them runs.
	StartedAt time.Time
}

// Workload identifies an object that rolls its pods.
type Workload struct {
	// APIVersion and Kind, such as "apps/v1" and "Deployment".
	APIVersion, Kind string
	types.NamespacedName
	UID types.UID
}

// Change says what the users of may have changed: of credentials by name, of
// Secrets, and of assets by kind and name, in one namespace.
type Change struct {
	Namespace            string
	Credentials, Secrets []string
	Assets               []Asset
}

// Asset is what workloads call one: its kind, such as "Environment", and its name.
type Asset struct{ Kind, Name string }
