// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"path"
	"strings"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/catalog"
)

// wants are the variables and paths that an asset and what it refers to want.
type wants struct {
	variables map[string]*want
	all       []*want // credentials whose keys all become variables
	paths     []*want
}

// want is one of them.
type want struct {
	by *inspection
	// field is that of the asset which wants it.
	field string
	// what it is from, as messages name it, and which credential that is, if it is
	// one.
	what  string
	entry *catalog.Entry
	// source is what two wants of one thing have in common if they agree.
	source any
	// all says that it is all keys of the credential, as variables.
	all  bool
	path string
	mode *int32
}

// beside says what a want is from, and in which asset, if another one wants the same
// and it is not in the one that is looked at.
func (w *want) beside(other *want) string {
	if w.by.outer == nil || w.by == other.by {
		return w.what
	}
	return w.what + " (" + w.by.name + ")"
}

// The sources of variables that are no secrets, and of those that are. A mount of
// keys is known by the credential and the keys with their files.
type (
	value string
	keyOf struct{ name, key string }
)

func filesOf(entry *catalog.Entry, files []string) keyOf {
	return keyOf{entry.KubernetesName, strings.Join(files, ",")}
}

func (i *inspection) env(env []v1alpha1.AssetEnv) {
	for n := range env {
		one := &env[n]
		field := item("spec.env", n)
		if one.Credential == nil {
			if one.Value != nil {
				i.wantVariable(field, one.Name, want{what: "a value of its own", source: value(*one.Value)})
			}
			continue
		}
		entry := i.credential(field+".credential", string(one.Credential.Name), func(entry *catalog.Entry) string {
			return entry.NoVariable(one.Credential.Key)
		})
		if entry != nil {
			i.variable(field, field+".credential.key", entry, one.Name, one.Credential.Key)
		}
	}
}

// variable adds a variable from a credential, unless that has no such key.
func (i *inspection) variable(field, keyField string, entry *catalog.Entry, name, reference string) {
	key, problem := entry.Variable(reference)
	if problem != "" {
		i.lacks(keyField, problem)
		return
	}
	i.wantVariable(field, name, want{
		what: fmt.Sprintf("credential %q key %s", entry.Name, key), entry: entry, source: keyOf{entry.KubernetesName, key},
	})
}

// credentials adds what credentials give that are just named: what their injection
// says, else what their type says.
func (i *inspection) credentials(names []v1alpha1.AssetName) {
	for n, name := range names {
		field := item("spec.credentials", n)
		entry := i.credential(field, string(name), anyType)
		switch {
		case entry == nil:
		case entry.Injection != nil:
			for _, env := range entry.Injection.Env {
				i.variable(field, field, entry, env.Name, env.Key)
			}
			if entry.Injection.MountPath != "" {
				i.wantMount(field, entry, entry.Injection.MountPath)
			}
		default:
			i.byDefault(field, entry)
		}
	}
}

func (i *inspection) byDefault(field string, entry *catalog.Entry) {
	switch entry.Definition.Delivery {
	case credential.DeliverEnv:
		for _, variable := range entry.Definition.Env {
			i.variable(field, field, entry, variable.Variable(entry.Name), variable.Role)
		}
	case credential.DeliverEnvFrom:
		if entry.KeysKnown {
			i.wants.all = append(i.wants.all, &want{by: i, field: field, what: fmt.Sprintf("credential %q", entry.Name), entry: entry, all: true})
		}
	case credential.DeliverMount:
		i.wantMount(field, entry, credential.DefaultMountRoot+entry.Name)
	}
}

// mount adds keys of a credential as files.
func (i *inspection) mount(field string, mount *v1alpha1.CredentialMount) {
	name := string(mount.Credential)
	entry := i.credential(field+".credential", name, anyType)
	files, ok := i.files(field, entry, mount.Keys)
	if !ok {
		return
	}
	w := want{what: fmt.Sprintf("credential %q", name), entry: entry, mode: mount.Mode, source: mount}
	if entry != nil {
		w.source = filesOf(entry, files)
	}
	i.wantPath(field+".mountPath", string(mount.MountPath), w)
}

// files returns which key becomes which file, as text that tells one mount from
// another; without a credential, whose keys are not known, nothing. Two keys may not
// become one file, nor a file be in another.
func (i *inspection) files(field string, entry *catalog.Entry, keys []v1alpha1.KeyFile) (files []string, ok bool) {
	var paths []string
	ok = true
	for n, one := range keys {
		at := item(field+".keys", n)
		file := path.Clean(one.File)
		if one.File == "" {
			file = one.Key
		}
		for m, other := range paths {
			if other == file || below(file, other) || below(other, file) {
				i.add(Fault{Reason: v1alpha1.ReasonConflict, Field: at, Problem: sameFile(keys[m].Key, other, one.Key, file)})
				ok = false
			}
		}
		paths = append(paths, file)
		if entry == nil {
			continue
		}
		key, problem := entry.Key(one.Key)
		if problem != "" {
			i.lacks(at+".key", problem)
			ok = false
		}
		files = append(files, key+"="+file)
	}
	return files, ok
}

func sameFile(key, file, otherKey, other string) string {
	if file == other {
		return fmt.Sprintf("keys %s and %s want the same file %q", key, otherKey, file)
	}
	return fmt.Sprintf("files %q and %q lie in one another", file, other)
}

// wantMount adds all keys of a credential as files.
func (i *inspection) wantMount(field string, entry *catalog.Entry, mountPath string) {
	i.wantPath(field, mountPath, want{what: fmt.Sprintf("credential %q", entry.Name), entry: entry, source: filesOf(entry, nil)})
}

// below says whether a clean path is strictly below another.
func below(child, parent string) bool {
	return len(child) > len(parent) && child[len(parent)] == '/' && child[:len(parent)] == parent
}
