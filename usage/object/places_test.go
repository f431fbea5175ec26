// SPDX-License-Identifier: Apache-2.0

package object

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/credence-dev/credence/injector/workload"
)

// TestEveryPlace fills every field of a pod's spec that is called after a Secret,
// so that one that a later Kubernetes brings is not forgotten.
func TestEveryPlace(t *testing.T) {
	filler := &filler{}
	for volume := range reflect.TypeFor[corev1.VolumeSource]().NumField() { // a volume has one source
		spec := corev1.PodSpec{Volumes: make([]corev1.Volume, 1)}
		filler.fill(reflect.ValueOf(&spec.Volumes[0].VolumeSource).Elem().Field(volume), "volume", 0)
		filler.check(t, spec)
	}
	var spec corev1.PodSpec
	value := reflect.ValueOf(&spec).Elem()
	for i := range value.NumField() {
		if value.Type().Field(i).Name != "Volumes" {
			filler.fill(value.Field(i), value.Type().Field(i).Name, 0)
		}
	}
	filler.check(t, spec)
	if filler.found < 17 {
		t.Errorf("only %d places were found", filler.found)
	}
}

// filler puts names of Secrets wherever there is a place for one.
type filler struct {
	names []string
	found int
}

func (f *filler) fill(v reflect.Value, path string, depth int) {
	if depth > 12 || v.Type() == reflect.TypeFor[metav1.Time]() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), path, depth+1)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			f.fill(v.Index(0), path, depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				f.fill(v.Field(i), path+"."+field.Name, depth+1)
			}
		}
	case reflect.String:
		last := path[strings.LastIndex(path, ".")+1:]
		if last == "SecretName" || last == "Name" && strings.Contains(path, "Secret") {
			name := fmt.Sprintf("secret-%d", len(f.names))
			f.names = append(f.names, path)
			v.SetString(name)
		}
	}
}

// check sees whether all that was filled in since the last check is found.
func (f *filler) check(t *testing.T, spec corev1.PodSpec) {
	t.Helper()
	var c collector
	c.spec(&spec, Uses)
	for i := f.found; i < len(f.names); i++ {
		name := fmt.Sprintf("secret-%d", i)
		if !slices.ContainsFunc(c.list, func(r Reference) bool { return r.Kind == Secret && r.Name == name }) {
			t.Errorf("a Secret at %s is not found", f.names[i])
		}
	}
	f.found = len(f.names)
}

// TestTemplates holds where the pods of a kind are looked for against what the
// injector knows of it.
func TestTemplates(t *testing.T) {
	for _, one := range BuiltIn {
		if one.Kind == "ServiceAccount" {
			continue
		}
		t.Run(one.Kind, func(t *testing.T) {
			kind, ok := workload.KindOf(one.GroupVersion().String(), one.Kind)
			if !ok || kind.Resource != one.Resource {
				t.Fatal("the injector does not know the kind, or by another resource")
			}
			inner := `{"spec": {"imagePullSecrets": [{"name": "a-login"}]}}`
			for _, path := range kind.Paths {
				for _, step := range slices.Backward(path.Steps()) {
					inner = fmt.Sprintf(`{%q: %s}`, step.Field, inner)
				}
			}
			object, err := scheme.Scheme.New(one.GroupVersionKind)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(inner), object); err != nil {
				t.Fatal(err)
			}
			read, _ := Read(object)
			want := []Reference{{Kind: Secret, Name: "a-login"}}
			if diff := cmp.Diff(want, read.Shape.Value().Refers.List(), cmpopts.IgnoreFields(Reference{}, "How"), cmp.Comparer(func(a, b Kind) bool { return a == b })); diff != "" {
				t.Errorf("what the pod template refers to (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadsNothingElse: other kinds are none of the index's.
func TestReadsNothingElse(t *testing.T) {
	for _, object := range []any{nil, "text", &corev1.Secret{}, &appsv1.ControllerRevision{}, &batchv1.JobList{}, runtime.Object(nil)} {
		if _, ok := Read(object); ok {
			t.Errorf("a %T is read", object)
		}
	}
}
