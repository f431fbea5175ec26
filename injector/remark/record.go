// SPDX-License-Identifier: Apache-2.0

package remark

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
)

// Record says what each credential became in a pod: "env NAME", "envFrom",
// "mount /path", "imagePullSecrets", and what was left out because the pod has it.
// Assets are in it as "environment/<name>", "data-source/<name>" and
// "template/<name>", with what they gave. It is written to the annotation
// credence.dev/injected, as JSON, for people and for the audit log. It is never
// trusted as proof that anything was injected.
type Record map[string][]string

// How a pull secret is recorded.
const (
	// PullSecret is the record of a pull secret that was named.
	PullSecret = "imagePullSecrets"
	// AutomaticPullSecret is the record of a pull secret that nobody named: it was
	// added because its registry serves one of the pod's images.
	AutomaticPullSecret = "imagePullSecrets (automatic)"
)

// Has says whether something is recorded under a name.
func (r Record) Has(name, what string) bool { return slices.Contains(r[name], what) }

// Names returns the names in the record, sorted, those of assets included.
func (r Record) Names() []string { return slices.Sorted(maps.Keys(r)) }

// PullSecrets returns the part of the record that is about pull secrets.
func (r Record) PullSecrets() Record {
	part := Record{}
	for name, ways := range r {
		for _, way := range ways {
			if way == PullSecret || way == AutomaticPullSecret {
				part[name] = append(part[name], way)
			}
		}
	}
	return part
}

// With returns the record with what another one has besides.
func (r Record) With(other Record) Record {
	if r == nil && len(other) > 0 {
		r = Record{}
	}
	for name, ways := range other {
		for _, way := range ways {
			if !r.Has(name, way) {
				r[name] = append(r[name], way)
			}
		}
	}
	return r
}

// String returns the record as it stands in the annotation.
func (r Record) String() string {
	text, err := json.Marshal(map[string][]string(r), json.Deterministic(true))
	if err != nil { // names are DNS labels, paths were checked: only invalid UTF-8 in a variable could fail
		return "{}"
	}
	return string(text)
}

// ReadRecord reads the record of an earlier injection, empty where there is none or
// where it is not ours.
func ReadRecord(annotations map[string]string) Record {
	record := Record{}
	if text, ok := annotations[v1alpha1.AnnotationInjected]; ok {
		if err := json.Unmarshal([]byte(text), &record); err != nil {
			return Record{}
		}
	}
	return record
}

// Automatic returns the credentials that a pod has only as an automatic pull
// secret, by the record of its injection.
func Automatic(annotations map[string]string) []string {
	var names []string
	for name, ways := range ReadRecord(annotations) {
		if slices.Contains(ways, AutomaticPullSecret) {
			names = append(names, name)
		}
	}
	return names
}

// Recorder writes a record that stays small: annotations must be, and lists are
// searched.
type Recorder struct {
	Record
	size int
}

const (
	// maxRecorded bounds what is recorded of one credential.
	maxRecorded = 256
	// maxRecordedBytes bounds the record. All annotations of an object may have 256 KiB.
	maxRecordedBytes = 64 << 10
	recordMore       = "and more"
)

// Add records what became of a credential, or of an asset by its NameOf.
func (r *Recorder) Add(name, what string) {
	if r.Record == nil {
		r.Record = Record{}
	}
	list := r.Record[name]
	last := len(list) - 1
	if last >= 0 && list[last] == recordMore || slices.Contains(list, what) {
		return
	}
	if len(list) == maxRecorded || r.size+len(what) > maxRecordedBytes {
		what = recordMore
	}
	r.size += len(what)
	r.Record[name] = append(list, what)
}

var assetWords = map[asset.Kind]string{
	asset.Environment: "environment", asset.DataSource: "data-source", asset.WorkloadTemplate: "template",
}

// NameOf is what the record calls an asset: no credential's name has a slash.
func NameOf(a *asset.Asset) string { return assetWords[a.Kind] + "/" + a.Name }

// AssetIn returns the asset that a name in a record means; it means a credential where
// that is false.
func AssetIn(recorded string) (kind asset.Kind, name string, ok bool) {
	word, name, _ := strings.Cut(recorded, "/")
	for kind, of := range assetWords {
		if of == word && name != "" {
			return kind, name, true
		}
	}
	return "", "", false
}
