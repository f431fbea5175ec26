// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
)

// carried is what the annotation credence.dev/carried lists: the keys, each with a
// short digest of the value that was carried, "<key>=<digest>,…". By the digest we
// know our own work: another value in a template is somebody's who wrote it there,
// and of several templates each may have its own. A key without a digest stands for
// any value.
type carried map[string]string

func readCarried(list string) carried {
	c := carried{}
	for item := range strings.SplitSeq(list, ",") {
		key, digest, _ := strings.Cut(item, "=")
		if annotation.Asks(key) { // whatever people write there, only our own are ever removed
			c[key] = digest
		}
	}
	return c
}

func (c carried) String() string {
	items := make([]string, 0, len(c))
	for _, key := range slices.Sorted(maps.Keys(c)) {
		items = append(items, key+"="+c[key])
	}
	return strings.Join(items, ",")
}

// has says whether an annotation of a template was carried there.
func (c carried) has(key, value string) bool {
	digest, listed := c[key]
	return listed && (digest == "" || digest == digestOf(value))
}

// digestOf tells values apart. That two of one annotation have the same by chance
// costs no more than that one is taken for the other.
func digestOf(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:4])
}

// target is a template, and what is to be done to its annotations.
type target struct {
	prefix   string
	metadata *pod.Metadata
	set      map[string]string
	remove   []string
}

// carry is what is to be done to an object and its templates.
type carry struct {
	templates []target
	// list is what is to be listed, and listed says that there is a list now.
	list   string
	listed bool
	// relists says that the list is another than it was.
	relists bool
	// tooLarge says that the annotations would have more bytes than they may.
	tooLarge bool
}

// changes says whether there is anything to do.
func (c *carry) changes() bool {
	return c.relists || slices.ContainsFunc(c.templates, func(t target) bool { return len(t.set) > 0 || len(t.remove) > 0 })
}

// mayCarry is a quick no for most objects.
func mayCarry(annotations map[string]string) bool {
	_, listed := annotations[v1alpha1.AnnotationCarried]
	return listed || annotation.AsksAny(annotations)
}

func decide(object map[string]string, templates []target) carry {
	text, listed := object[v1alpha1.AnnotationCarried]
	before, now, wants := readCarried(text), carried{}, asked(object)
	for i := range templates {
		templates[i].follow(wants, before, now)
	}
	c := carry{templates: templates, listed: listed, list: now.String()}
	c.relists = c.list != text && len(before)+len(now) > 0 // a list of nothing of ours harms nobody
	c.tooLarge = c.changes() && !c.fits(object)
	return c
}

// follow has a template follow what its object wants, and notes what it has from
// there.
func (t *target) follow(wants map[string]string, before, now carried) {
	for key, value := range wants {
		has, there := t.metadata.Annotations[key]
		if there && !before.has(key, has) {
			continue // the template's own
		}
		now[key] = digestOf(value)
		if !there || has != value {
			if t.set == nil {
				t.set = map[string]string{}
			}
			t.set[key] = value
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		_, wanted := wants[key]
		if has, there := t.metadata.Annotations[key]; there && !wanted && before.has(key, has) {
			t.remove = append(t.remove, key)
		}
	}
}

func (c *carry) fits(object map[string]string) bool {
	if !pod.AnnotationsFit(object, map[string]string{v1alpha1.AnnotationCarried: c.list}) {
		return false
	}
	return !slices.ContainsFunc(c.templates, func(t target) bool {
		return len(t.set) > 0 && !pod.AnnotationsFit(t.metadata.Annotations, t.set)
	})
}

// asked returns the annotations that ask for something. A key with a comma or an
// equals sign, which the API server takes nowhere, could not be listed.
func asked(annotations map[string]string) map[string]string {
	asked := map[string]string{}
	for key, value := range annotations {
		if annotation.Asks(key) && !strings.ContainsAny(key, ",=") {
			asked[key] = value
		}
	}
	return asked
}
