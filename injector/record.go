// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
)

// Record says what each credential became in a pod: "env NAME", "envFrom",
// "mount /path", "imagePullSecrets", and what was left out because the pod has
// it. Assets are in it as "environment/<name>", "data-source/<name>" and
// "template/<name>", with what they gave. It is written to the annotation credence.dev/injected, as JSON, for people
// and for the audit log. It is never trusted as proof that anything was injected.
type Record map[string][]string

// recorder writes a record that stays small: annotations must be, and lists are
// searched.
type recorder struct {
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

func (r *recorder) add(credentialName, what string) {
	if r.Record == nil {
		r.Record = Record{}
	}
	list := r.Record[credentialName]
	last := len(list) - 1
	if last >= 0 && list[last] == recordMore || slices.Contains(list, what) {
		return
	}
	if len(list) == maxRecorded || r.size+len(what) > maxRecordedBytes {
		what = recordMore
	}
	r.size += len(what)
	r.Record[credentialName] = append(list, what)
}

func (r Record) has(credentialName, what string) bool {
	return slices.Contains(r[credentialName], what)
}

// Names returns the names in the record, sorted, those of assets included.
func (r Record) Names() []string { return slices.Sorted(maps.Keys(r)) }

// recordedAs is what the record calls an asset: no credential's name has a slash.
func recordedAs(a *asset.Asset) string { return recordWords[a.Kind] + "/" + a.Name }

var recordWords = map[asset.Kind]string{
	asset.Environment: "environment", asset.DataSource: "data-source", asset.WorkloadTemplate: "template",
}

// AssetIn returns the asset that a name in a record means; it means a credential where
// that is false.
func AssetIn(recorded string) (kind asset.Kind, name string, ok bool) {
	word, name, _ := strings.Cut(recorded, "/")
	for kind, of := range recordWords {
		if of == word && name != "" {
			return kind, name, true
		}
	}
	return "", "", false
}

// String returns the record as it stands in the annotation.
func (r Record) String() string {
	text, err := json.Marshal(map[string][]string(r), json.Deterministic(true))
	if err != nil { // names are DNS labels, paths were checked: only invalid UTF-8 in a variable could fail
		return "{}"
	}
	return string(text)
}

// parseRecord reads the record of an earlier pass, empty where there is none or
// where it is not ours.
func parseRecord(annotations map[string]string) Record {
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
	for name, ways := range parseRecord(annotations) {
		if slices.Contains(ways, RecordAutomatic) {
			names = append(names, name)
		}
	}
	return names
}
