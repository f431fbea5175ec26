// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
)

// grant is one thing that a credential gives to some containers: a variable, all
// its keys as variables, a mount, or a pull secret for the pod.
type grant struct {
	annotation string
	line       int // of the annotation, if it is read by lines
	entry      *catalog.Entry
	containers *annotation.Containers // nil: all
	what       string                 // as it is recorded

	env        *pod.EnvVar
	envFrom    bool
	mount      *annotation.Mount // with keys resolved
	volumes    []grantedVolume   // for the mount, by mode
	pullSecret bool
}

// resolver turns references into grants.
type resolver struct {
	known    Catalog
	place    credential.Place
	request  *Request
	warnings warnings
	seen     []*catalog.Entry // whose state was checked
}

func (r *resolver) resolve(wanted *annotation.Wanted) ([]grant, *Refusal) {
	grants := make([]grant, 0, 2*len(wanted.Named)+len(wanted.Env)+len(wanted.Mounts))
	for _, named := range wanted.Named {
		entry, refusal := r.find(named.Annotation, named.Credential)
		if refusal != nil {
			return nil, refusal
		}
		if grants, refusal = r.addDefault(grants, named.Annotation, entry); refusal != nil {
			return nil, refusal
		}
	}
	for i := range wanted.Env {
		var refusal *Refusal
		if grants, refusal = r.addEnv(grants, &wanted.Env[i]); refusal != nil {
			return nil, refusal.inLine(wanted.Env[i].Line)
		}
	}
	for i := range wanted.Mounts {
		mount := &wanted.Mounts[i]
		entry, refusal := r.find(mount.Annotation, mount.Credential)
		if refusal != nil {
			return nil, refusal
		}
		if refusal := r.resolveItems(mount, entry); refusal != nil {
			return nil, refusal
		}
		grants = append(grants, mountGrant(entry, mount))
	}
	return grants, nil
}

func (r *resolver) addEnv(grants []grant, env *annotation.Env) ([]grant, *Refusal) {
	entry, refusal := r.find(env.Annotation, env.Credential)
	if refusal != nil {
		return nil, refusal
	}
	if grants, refusal = r.addVariable(grants, env.Annotation, entry, env.Variable, env.Key); refusal != nil {
		return nil, refusal
	}
	added := &grants[len(grants)-1]
	added.containers, added.line = env.Containers, env.Line
	return grants, nil
}

// find returns the credential that a name means, if it may be used now.
func (r *resolver) find(key, name string) (*catalog.Entry, *Refusal) {
	entry, ok := r.known.Lookup(r.place, name)
	if !ok {
		refusal := refuse(key, "there is no credential %q in namespace %s%s",
			name, r.place.Namespace, annotation.Nearest(name, r.known.Visible(r.place)))
		refusal.Kind = NotFound
		return nil, refusal
	}
	if slices.Contains(r.seen, entry) {
		return entry, nil
	}
	r.seen = append(r.seen, entry)
	return entry, r.check(key, entry)
}

// check says why a credential cannot be used in this namespace now.
func (r *resolver) check(key string, entry *catalog.Entry) *Refusal {
	switch {
	case entry.DeletedAt != nil && r.isNewWorkload(entry):
		return refuse(key, "credential %q is being deleted and accepts no new workloads", entry.Name)
	case entry.Definition.Delivery == "":
		return refuse(key, "credential %q has a type that this version of Credence does not know: %s", entry.Name, entry.Definition.Type)
	case entry.Behind:
		return notReady(refuse(key, "credential %q is still being prepared, try again", entry.Name))
	case entry.SourceMissing && !entry.KeysKnown:
		return notReady(refuse(key, "credential %q is still being prepared, try again: its Secret does not exist yet", entry.Name))
	case entry.Problem != "":
		return refuse(key, "credential %q cannot be used: %s", entry.Name, problems[entry.Problem])
	case entry.Taken(r.place.Namespace):
		return refuse(key, "credential %q cannot be used in namespace %s: another Secret there has its name %s",
			entry.Name, r.place.Namespace, entry.KubernetesName)
	}
	if entry.Pending(r.place.Namespace) {
		r.warnings.add("credential %q is not in namespace %s yet; the pod starts when it is", entry.Name, r.place.Namespace)
	} else if entry.SourceMissing {
		r.warnings.add("the source of credential %q is missing; the pod gets its last known values", entry.Name)
	}
	return nil
}

func notReady(refusal *Refusal) *Refusal {
	refusal.Kind = NotReady
	return refusal
}

// problems words the reasons of a credential that is not ready for those who may
// not see it: without names of other namespaces, departments or Secrets.
var problems = map[string]string{
	v1alpha1.ReasonNotAProject:         "it is not in a project or another place for credentials",
	v1alpha1.ReasonWrongNamespace:      "it is in a namespace that does not fit its scope",
	v1alpha1.ReasonSourceNotAuthorized: "its Secret is not authorized for it by the right labels",
	v1alpha1.ReasonSourceNotAllowed:    "its Secret is of a kind that is never a source",
	v1alpha1.ReasonSourceInUse:         "its Secret already serves another credential",
	v1alpha1.ReasonSourceInvalid:       "its Secret has the wrong type or keys",
}

// isNewWorkload says whether the pod belongs to a workload that came after the
// deletion began. Replacements of older pods are admitted: else the protection
// would cause the outage that it is there to prevent.
func (r *resolver) isNewWorkload(entry *catalog.Entry) bool {
	if r.request.Since == nil {
		return true
	}
	since, controlled := r.request.Since()
	return !controlled || since.After(entry.DeletedAt.Time)
}

// addDefault adds what a credential is by default: what its injection says, else
// what its type says.
func (r *resolver) addDefault(grants []grant, key string, entry *catalog.Entry) ([]grant, *Refusal) {
	delivery := entry.Definition.Delivery
	if delivery == credential.DeliverPullSecret {
		grants = append(grants, grant{annotation: key, entry: entry, pullSecret: true})
	}
	if entry.Injection != nil {
		return r.addInjection(grants, key, entry)
	}
	switch delivery {
	case credential.DeliverEnv:
		var refusal *Refusal
		for _, variable := range entry.Definition.Env {
			if grants, refusal = r.addVariable(grants, key, entry, variable.Variable(entry.Name), variable.Role); refusal != nil {
				return nil, refusal
			}
		}
	case credential.DeliverEnvFrom:
		grants = append(grants, grant{annotation: key, entry: entry, envFrom: true, what: "envFrom"})
	case credential.DeliverMount:
		grants = append(grants, defaultMount(key, entry, credential.DefaultMountRoot+entry.Name))
	}
	return grants, nil
}

func (r *resolver) addInjection(grants []grant, key string, entry *catalog.Entry) ([]grant, *Refusal) {
	var refusal *Refusal
	for _, env := range entry.Injection.Env {
		if grants, refusal = r.addVariable(grants, key, entry, env.Name, env.Key); refusal != nil {
			return nil, refusal
		}
	}
	if entry.Injection.MountPath != "" {
		path, problem := annotation.CleanMountPath(entry.Injection.MountPath)
		if problem != "" {
			return nil, refuse(key, "the injection of credential %q: %s", entry.Name, problem)
		}
		grants = append(grants, defaultMount(key, entry, path))
	}
	return grants, nil
}

func defaultMount(key string, entry *catalog.Entry, path string) grant {
	return mountGrant(entry, &annotation.Mount{Annotation: key, Credential: entry.Name, Path: path})
}

func mountGrant(entry *catalog.Entry, mount *annotation.Mount) grant {
	return grant{annotation: mount.Annotation, entry: entry, mount: mount, containers: mount.Containers, what: "mount " + mount.Path}
}

func (r *resolver) addVariable(grants []grant, key string, entry *catalog.Entry, variable, reference string) ([]grant, *Refusal) {
	if entry.Definition.Type == v1alpha1.DockerRegistry && reference != corev1.DockerConfigJsonKey {
		return nil, refuse(key, "credential %q of type %s can be a variable by its key %s only, not by %q",
			entry.Name, entry.Definition.Type, corev1.DockerConfigJsonKey, reference)
	}
	secretKey, refusal := findKey(key, entry, reference)
	if refusal != nil {
		return nil, refusal
	}
	return append(grants, grant{annotation: key, entry: entry, what: "env " + variable, env: &pod.EnvVar{
		Name:      variable,
		ValueFrom: &pod.EnvVarSource{SecretKeyRef: &pod.SecretKeyRef{Name: entry.KubernetesName, Key: secretKey}},
	}}), nil
}

func (r *resolver) resolveItems(mount *annotation.Mount, entry *catalog.Entry) *Refusal {
	for i := range mount.Items {
		secretKey, refusal := findKey(mount.Annotation, entry, mount.Items[i].Key)
		if refusal != nil {
			return refusal
		}
		mount.Items[i].Key = secretKey
	}
	return nil
}

// maxKeysNamed bounds how many keys a message lists.
const maxKeysNamed = 10

// findKey returns the data key that a reference means. Where the Secret was never
// seen, a reference that is no role is taken at its word.
func findKey(key string, entry *catalog.Entry, reference string) (string, *Refusal) {
	if secretKey, ok := credential.FindKey(entry.Keys, reference); ok {
		return secretKey, nil
	}
	if !entry.KeysKnown {
		return reference, nil
	}
	names := make([]string, 0, len(entry.Keys))
	for _, k := range entry.Keys {
		names = append(names, k.Key)
	}
	listed := strings.Join(names[:min(len(names), maxKeysNamed)], ", ")
	if more := len(names) - maxKeysNamed; more > 0 {
		listed += fmt.Sprintf(" and %d more", more)
	}
	for _, k := range entry.Keys {
		if k.Role != "" {
			names = append(names, k.Role)
		}
	}
	return "", refuse(key, "credential %q of type %s has no key %q (keys: %s)%s",
		entry.Name, entry.Definition.Type, reference, listed, annotation.Nearest(reference, names))
}
