// SPDX-License-Identifier: Apache-2.0

package annotation

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/spelling"
)

// Wanted is everything that the annotations of one pod ask for, in the order of
// the annotations' keys.
type Wanted struct {
	// Off: nothing at all, not even automatic pull secrets.
	Off bool
	// Containers are the only ones that get anything; nil means all.
	Containers *Containers
	// Named credentials are injected in their default way.
	Named []Named
	// Env are single environment variables.
	Env []Env
	// Mounts are single mounts.
	Mounts []Mount
	// Environment and Template are the names of assets to inject; empty for none.
	Environment, Template string
	// DataSources are names of assets likewise.
	DataSources []string
}

// Containers is a choice of containers by name.
type Containers struct {
	Annotation string
	Names      []string
}

// Named is a credential to inject in its default way.
type Named struct {
	Annotation, Credential string
}

// Env is an environment variable to be read from a credential.
type Env struct {
	Annotation, Variable, Credential string
	// Line of the annotation's value, counted from 1; 0 if the value is not read by
	// lines.
	Line int
	// Key is a data key or a role.
	Key string
	// Containers overrides Wanted.Containers; nil does not.
	Containers *Containers
}

// Mount is a directory to be filled from a credential.
type Mount struct {
	Annotation, Credential string
	// Path is absolute and clean.
	Path string
	// Mode of the files; nil follows the user that the container runs as.
	Mode *int32
	// Items are the keys to mount; nil means all.
	Items []Item
	// Containers overrides Wanted.Containers; nil does not.
	Containers *Containers
}

// Item is a key and the file that it becomes.
type Item struct {
	// Key is a data key or a role.
	Key string
	// File is a relative path.
	File string
}

// Parse reads the annotations of a pod. Every annotation under our domains must
// be known and well formed: a misspelt one would otherwise be a pod without its
// credentials.
func Parse(annotations map[string]string) (Wanted, *Error) {
	if len(annotations) == 0 {
		return Wanted{}, nil
	}
	if value, ok := annotations[v1alpha1.AnnotationInject]; ok {
		off, err := parseInject(value)
		if err != nil || off {
			return Wanted{Off: off}, err
		}
	}
	keys := make([]string, 0, 8)
	for key := range annotations {
		if Asks(key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var reader parser
	for _, key := range keys {
		if err := reader.add(key, annotations[key]); err != nil {
			return Wanted{}, err
		}
	}
	return reader.Wanted, nil
}

// parser collects what annotations ask for, and counts it.
type parser struct {
	Wanted
	counted int
}

// MaxWanted bounds how many variables, mounts and keys of mounts annotations may ask
// for. Nobody asks for a hundredth of it.
const MaxWanted = 10_000

func (w *parser) count(key string, n int) *Error {
	if w.counted += n; w.counted > MaxWanted {
		return failed(key, fmt.Sprintf("the annotations ask for more than %d things, which is the most that is supported", MaxWanted))
	}
	return nil
}

// add reads one annotation.
func (w *parser) add(key, value string) *Error {
	switch {
	case key == v1alpha1.AnnotationEnvPrefix, key == v1alpha1.AnnotationMountPrefix:
		return failed(key, "a name must follow the domain")
	case strings.HasPrefix(key, v1alpha1.AnnotationEnvPrefix):
		return w.addEnv(key, key[len(v1alpha1.AnnotationEnvPrefix):], value)
	case strings.HasPrefix(key, v1alpha1.AnnotationMountPrefix):
		return w.addMount(key, value)
	}
	switch key {
	case v1alpha1.AnnotationCredentials:
		return w.addNamed(key, value)
	case v1alpha1.AnnotationEnv:
		return w.addEnvLines(key, value)
	case v1alpha1.AnnotationContainers:
		containers, err := parseContainers(key, value)
		w.Containers = containers
		return err
	case v1alpha1.AnnotationInject:
		return nil // read before all others
	case v1alpha1.AnnotationEnvironment, v1alpha1.AnnotationDataSources, v1alpha1.AnnotationTemplate:
		return w.addAssets(key, value)
	}
	return unknown(key)
}

func parseInject(value string) (off bool, err *Error) {
	switch value {
	case "false":
		return true, nil
	case "true":
		return false, nil
	}
	return false, failed(v1alpha1.AnnotationInject, fmt.Sprintf(`the value must be "false" or "true", not %s`, Quote(value)))
}

func (w *parser) addNamed(key, value string) *Error {
	names, err := parseList(key, value, "credential")
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := checkCredentialName(key, name); err != nil {
			return err
		}
		w.Named = append(w.Named, Named{Annotation: key, Credential: name})
	}
	return nil
}

// unknown names what was probably meant: the same in lower case, or the nearest
// of the annotations there are.
func unknown(key string) *Error {
	domain, name, _ := strings.Cut(key, "/")
	if lower := strings.ToLower(domain); lower != domain {
		return failed(key, "the domain must be in lower case: "+Show(lower+"/"+name))
	}
	const problem = "there is no such annotation"
	if domain == v1alpha1.Group {
		names := make([]string, 0, len(fixed))
		for known, asks := range fixed {
			if asks {
				names = append(names, known[len(v1alpha1.Group)+1:])
			}
		}
		slices.Sort(names)
		if best := spelling.Nearest(name, names); best != "" {
			return failed(key, problem+didYouMean(domain+"/"+best))
		}
		return failed(key, problem)
	}
	kind := strings.TrimSuffix(domain, "."+v1alpha1.Group)
	if best := spelling.Nearest(kind, []string{"env", "mount"}); best != "" {
		return failed(key, problem+didYouMean(best+"."+v1alpha1.Group+"/"+name))
	}
	return failed(key, problem+" (there are "+v1alpha1.AnnotationEnvPrefix+"<variable> and "+v1alpha1.AnnotationMountPrefix+"<any name>)")
}

// maxItems bounds a list, because what follows compares its items with one
// another and with the pod's containers. A Secret has no more keys either.
const maxItems = v1alpha1.MaxStatusKeys

// parseList reads "a, b". An item must not be empty.
func parseList(key, value, what string) ([]string, *Error) {
	if strings.TrimSpace(value) == "" {
		return nil, failed(key, "the value is empty; it must name at least one "+what)
	}
	items := strings.Split(value, ",")
	if len(items) > maxItems {
		return nil, failed(key, fmt.Sprintf("the list has %d items, and at most %d are supported", len(items), maxItems))
	}
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
		if items[i] == "" {
			return nil, failed(key, fmt.Sprintf("item %d of the list is empty", i+1))
		}
	}
	return items, nil
}

func parseContainers(key, value string) (*Containers, *Error) {
	names, err := parseList(key, value, "container")
	if err != nil {
		return nil, err
	}
	return &Containers{Annotation: key, Names: names}, nil
}

func checkCredentialName(key, name string) *Error {
	if len(validation.IsDNS1123Label(name)) > 0 {
		err := failed(key, Quote(name)+" cannot be the name of a credential, which is made of lower case letters, digits and '-'")
		err.Credential = name
		return err
	}
	return nil
}
