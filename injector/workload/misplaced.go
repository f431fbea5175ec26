// SPDX-License-Identifier: Apache-2.0

package workload

import (
	"bytes"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/credence-dev/credence/injector/annotation"
	"github.com/credence-dev/credence/injector/pod"
)

// Misplaced returns the places in an object that have annotations of ours which
// nothing heeds, as JSON pointers of their metadata. It passes over what cannot be
// read.
func (k *Kind) Misplaced(object []byte) (places []string) {
	if !mayAsk(object) {
		return nil
	}
	candidates := []string{""}
	if k.Is("batch", "CronJob") {
		candidates = append(candidates, "/spec/jobTemplate")
	}
	for _, place := range candidates {
		if place == "" && (len(k.Paths) == 0 || k.heeds(object)) {
			continue
		}
		if asksAt(object, place) {
			places = append(places, place+"/metadata")
		}
	}
	return places
}

// heeds says whether the annotations of an object are carried to its templates, or
// those of the object that controls it.
func (k *Kind) heeds(object []byte) bool {
	var head struct {
		Metadata pod.Metadata `json:"metadata"`
	}
	if json.Unmarshal(object, &head) != nil {
		return true
	}
	if _, controlled := head.Metadata.Controller(); controlled {
		return true
	}
	templates, err := k.Templates(object)
	return err != nil || k.Carries && len(templates) > 0
}

// AsksUnheard says whether an object of a kind that is not known has annotations of
// ours, on itself or on what may be its pod template.
func AsksUnheard(object []byte) (onObject, onTemplate bool) {
	if !mayAsk(object) {
		return false, false
	}
	return asksAt(object, ""), asksAt(object, "/spec/template")
}

// mayAsk is a quick no for most objects.
func mayAsk(object []byte) bool { return bytes.Contains(bytes.ToLower(object), []byte("credence")) }

// asksAt says whether the metadata at a place has an annotation that is known to ask
// for something. Objects that are no workloads may have others of ours.
func asksAt(object []byte, place string) bool {
	raw, err := Template{Prefix: place + "/metadata"}.in(object)
	var metadata pod.Metadata
	if err != nil || raw == nil || json.Unmarshal(raw, &metadata) != nil {
		return false
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(metadata.Annotations)), annotation.IsRequest)
}
