// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"fmt"
	"slices"

	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
	"github.com/credence-dev/credence/injector/remark"
)

// grant is one thing that a credential or an asset gives to some containers: a
// variable, all keys as variables, a mount, or a pull secret for the pod.
type grant struct {
	origin
	line       int                    // of the annotation, if it is read by lines
	entry      *catalog.Entry         // nil: of no credential
	containers *annotation.Containers // nil: all
	what       string                 // as it is recorded

	env        *pod.EnvVar
	envFrom    bool
	mount      *annotation.Mount // with keys resolved
	volumes    []grantedVolume   // for the mount, by mode
	fetched    *fetcher          // what fills the mount, instead of a credential
	pullSecret bool
}

// String says what gives, as messages name it.
func (g *grant) String() string {
	switch {
	case g.asset == nil:
		return fmt.Sprintf("credential %q", g.entry.Name)
	case g.entry == nil:
		return g.asset.String()
	}
	return fmt.Sprintf("%s (credential %q)", g.asset, g.entry.Name)
}

// resolver turns references into grants.
type resolver struct {
	known    Catalog
	place    credential.Place
	request  *Request
	warnings remark.Warnings
	seen     []*catalog.Entry // whose state was checked

	grants       []grant
	environments []origin
	fetchers     []*fetcher
	used         []origin // assets that were resolved
	parts        []part
}

func (r *resolver) resolve(wanted *annotation.Wanted) *Refusal {
	r.grants = make([]grant, 0, 2*len(wanted.Named)+len(wanted.Env)+len(wanted.Mounts)+r.expected(wanted))
	for _, named := range wanted.Named {
		if refusal := r.addNamed(r.written(named.Annotation), named.Credential, field{}); refusal != nil {
			return refusal
		}
	}
	for i := range wanted.Env {
		if refusal := r.addEnv(&wanted.Env[i]); refusal != nil {
			return refusal.inLine(wanted.Env[i].Line)
		}
	}
	for i := range wanted.Mounts {
		mount := &wanted.Mounts[i]
		if refusal := r.addMount(r.written(mount.Annotation), mount, field{}); refusal != nil {
			return refusal
		}
	}
	return r.addAssets(wanted)
}

func (r *resolver) addNamed(o origin, name string, at field) *Refusal {
	entry, refusal := r.find(o, name, at)
	if refusal != nil {
		return refusal
	}
	return r.addDefault(o, entry)
}

func (r *resolver) addEnv(env *annotation.Env) *Refusal {
	o := r.written(env.Annotation)
	entry, refusal := r.find(o, env.Credential, field{})
	if refusal != nil {
		return refusal
	}
	if refusal := r.addVariable(o, entry, env.Variable, env.Key); refusal != nil {
		return refusal
	}
	added := &r.grants[len(r.grants)-1]
	added.containers, added.line = env.Containers, env.Line
	return nil
}

func (r *resolver) addMount(o origin, mount *annotation.Mount, at field) *Refusal {
	entry, refusal := r.find(o, mount.Credential, at)
	if refusal != nil {
		return refusal
	}
	if refusal := r.resolveItems(o, mount, entry); refusal != nil {
		return refusal
	}
	r.grants = append(r.grants, mountGrant(o, entry, mount))
	return nil
}

// find returns the credential that a name means, if it may be used now.
func (r *resolver) find(o origin, name string, at field) (*catalog.Entry, *Refusal) {
	entry, ok := r.known.Lookup(*o.from, name)
	if !ok {
		return nil, r.missing(o, asset.Credential, name, at)
	}
	if slices.Contains(r.seen, entry) {
		return entry, nil
	}
	if o.asset != nil && !r.means(name, entry) {
		return nil, o.refuse("it needs the wider credential %q, which a narrower one of this name hides in namespace %s: there is no copy of the wider one here",
			name, r.place.Namespace)
	}
	r.seen = append(r.seen, entry)
	return entry, r.check(o, entry)
}

// means says whether a name means a certain credential in the pod's namespace, where
// there is no copy of any other.
func (r *resolver) means(name string, entry *catalog.Entry) bool {
	here, ok := r.known.Lookup(r.place, name)
	return ok && sameCredential(here, entry)
}

// sameCredential says whether two entries are of one credential, of which the catalog
// may have learnt something new in between.
func sameCredential(a, b *catalog.Entry) bool {
	return a == b || a != nil && b != nil && a.NamespacedName == b.NamespacedName
}

// check says why a credential cannot be used in this namespace now.
func (r *resolver) check(o origin, entry *catalog.Entry) *Refusal {
	switch {
	case entry.DeletedAt != nil && r.request.isNewWorkload(entry.DeletedAt):
		return o.refuse("credential %q is being deleted and accepts no new workloads", entry.Name)
	case entry.Definition.Delivery == "":
		return o.refuse("credential %q has a type that this version of Credence does not know: %s", entry.Name, entry.Definition.Type)
	case entry.Behind:
		return notReady(o.refuse("credential %q is still being prepared, try again", entry.Name))
	case entry.SourceMissing && !entry.KeysKnown:
		return notReady(o.refuse("credential %q is still being prepared, try again: its Secret does not exist yet", entry.Name))
	case entry.Problem != "":
		return o.refuse("credential %q cannot be used: %s", entry.Name, entry.Unusable())
	}
	return r.checkSecret(o, entry)
}

// checkSecret says why the credential's Secret in this namespace cannot be used, and
// warns of one that is not as it should be.
func (r *resolver) checkSecret(o origin, entry *catalog.Entry) *Refusal {
	switch state := entry.SecretIn(r.place.Namespace); {
	case state == catalog.SecretTaken:
		return o.refuse("credential %q cannot be used in namespace %s: another Secret there has its name %s",
			entry.Name, r.place.Namespace, entry.KubernetesName)
	case state == catalog.SecretPending:
		r.warnings.Add("credential %q is not in namespace %s yet; the pod starts when it is", entry.Name, r.place.Namespace)
	case state == catalog.SecretMaybeTaken:
		warnMaybeTaken(&r.warnings, entry, r.place.Namespace)
	case entry.SourceMissing:
		r.warnings.Add("the source of credential %q is missing; the pod gets its last known values", entry.Name)
	}
	return nil
}

// warnMaybeTaken warns of a Secret that is used although it may be another's.
func warnMaybeTaken(warnings *remark.Warnings, entry *catalog.Entry, namespace string) {
	warnings.Add("whether Secret %s in namespace %s is that of credential %q is not known: too many namespaces have another of this name",
		entry.KubernetesName, namespace, entry.Name)
}

func notReady(refusal *Refusal) *Refusal {
	refusal.Kind = NotReady
	return refusal
}

// addDefault adds what a credential is by default: what its injection says, else
// what its type says.
func (r *resolver) addDefault(o origin, entry *catalog.Entry) *Refusal {
	delivery := entry.Definition.Delivery
	if delivery == credential.DeliverPullSecret {
		r.grants = append(r.grants, grant{origin: o, entry: entry, pullSecret: true})
	}
	if entry.Injection != nil {
		return r.addInjection(o, entry)
	}
	switch delivery {
	case credential.DeliverEnv:
		for _, variable := range entry.Definition.Env {
			if refusal := r.addVariable(o, entry, variable.Variable(entry.Name), variable.Role); refusal != nil {
				return refusal
			}
		}
	case credential.DeliverEnvFrom:
		r.grants = append(r.grants, grant{origin: o, entry: entry, envFrom: true, what: "envFrom"})
	case credential.DeliverMount:
		r.grants = append(r.grants, defaultMount(o, entry, credential.DefaultMountRoot+entry.Name))
	}
	return nil
}

func (r *resolver) addInjection(o origin, entry *catalog.Entry) *Refusal {
	for _, env := range entry.Injection.Env {
		if refusal := r.addVariable(o, entry, env.Name, env.Key); refusal != nil {
			return refusal
		}
	}
	if entry.Injection.MountPath != "" {
		path, problem := annotation.CleanMountPath(entry.Injection.MountPath)
		if problem != "" {
			return o.refuse("the injection of credential %q: %s", entry.Name, problem)
		}
		r.grants = append(r.grants, defaultMount(o, entry, path))
	}
	return nil
}

func defaultMount(o origin, entry *catalog.Entry, path string) grant {
	return mountGrant(o, entry, &annotation.Mount{Annotation: o.annotation, Credential: entry.Name, Path: path})
}

func mountGrant(o origin, entry *catalog.Entry, mount *annotation.Mount) grant {
	return grant{origin: o, entry: entry, mount: mount, containers: mount.Containers, what: "mount " + mount.Path}
}

func (r *resolver) addVariable(o origin, entry *catalog.Entry, variable, reference string) *Refusal {
	secretKey, problem := entry.Variable(reference)
	if problem != "" {
		return o.refuse("%s", problem)
	}
	r.grants = append(r.grants, grant{origin: o, entry: entry, what: "env " + variable, env: &pod.EnvVar{
		Name:      variable,
		ValueFrom: &pod.EnvVarSource{SecretKeyRef: &pod.SecretKeyRef{Name: entry.KubernetesName, Key: secretKey}},
	}})
	return nil
}

func (r *resolver) resolveItems(o origin, mount *annotation.Mount, entry *catalog.Entry) *Refusal {
	for i := range mount.Items {
		secretKey, problem := entry.Key(mount.Items[i].Key)
		if problem != "" {
			return o.refuse("%s", problem)
		}
		mount.Items[i].Key = secretKey
	}
	return nil
}
