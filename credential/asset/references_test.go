// SPDX-License-Identifier: Apache-2.0

package asset_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential/asset"
)

// everything makes one object of each kind of asset that says all that it can say.
// A data source can be one thing only, so there is one for each.
func everything(t *testing.T) []*asset.Asset {
	t.Helper()
	var all []*asset.Asset
	for _, object := range []metav1.Object{&v1alpha1.Environment{}, &v1alpha1.WorkloadTemplate{}} {
		fill(t, reflect.ValueOf(object).Elem())
		all = append(all, asset.New(object))
	}
	for _, keep := range []string{"Git", "S3", "Secret"} {
		source := &v1alpha1.DataSource{}
		fill(t, reflect.ValueOf(source).Elem())
		for _, one := range []string{"Git", "S3", "Secret"} {
			if one != keep {
				reflect.ValueOf(&source.Spec).Elem().FieldByName(one).SetZero()
			}
		}
		all = append(all, asset.New(source))
	}
	return all
}

// Types only refer to types below them, so no objects can refer to one another in a
// circle, whatever is written in them.
func TestNoCycleCanBeWritten(t *testing.T) {
	below := map[asset.Kind][]asset.Kind{
		asset.Environment:      {asset.Credential},
		asset.DataSource:       {asset.Credential},
		asset.WorkloadTemplate: {asset.Credential, asset.DataSource, asset.Environment},
	}
	for _, a := range everything(t) {
		var kinds []asset.Kind
		for _, reference := range a.References() {
			kinds = append(kinds, reference.Kind)
		}
		slices.Sort(kinds)
		if diff := cmp.Diff(below[a.Kind], slices.Compact(kinds)); diff != "" {
			t.Errorf("a %s refers to (-want +got):\n%s", a.Kind, diff)
		}
	}
	for _, kind := range asset.Kinds {
		if _, known := below[kind]; !known {
			t.Errorf("nothing says what a %s may refer to", kind)
		}
	}
}

// Every field whose type is that of a name is a reference: a new one that References
// does not know would neither be checked nor protect what it names.
func TestEveryNameIsAReference(t *testing.T) {
	for _, a := range everything(t) {
		var want []string
		for path := range namesIn(reflect.ValueOf(specOf(a)), "spec") {
			want = append(want, path)
		}
		var got []string
		for _, reference := range a.References() {
			got = append(got, strings.ReplaceAll(reference.Field, "[0]", ""))
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-names +references):\n%s", a.Kind, diff)
		}
	}
}

func specOf(a *asset.Asset) any {
	switch {
	case a.Environment != nil:
		return *a.Environment
	case a.DataSource != nil:
		return *a.DataSource
	}
	return *a.Template
}

// namesIn returns the paths of all names of credentials and assets, a reference to a
// key by the path of the whole.
func namesIn(v reflect.Value, path string) map[string]bool {
	names := map[string]bool{}
	switch {
	case v.Type() == reflect.TypeFor[v1alpha1.AssetName](), v.Type() == reflect.TypeFor[v1alpha1.KeyReference]():
		names[path] = true
	case v.Kind() == reflect.Pointer && !v.IsNil():
		return namesIn(v.Elem(), path)
	case v.Kind() == reflect.Slice && v.Len() > 0:
		return namesIn(v.Index(0), path)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			for inner := range namesIn(v.Field(i), strings.TrimSuffix(path+"."+name, ".")) {
				names[inner] = true
			}
		}
	}
	return names
}

// fill gives every field something, one item to every list.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && field.Name != "Status" && field.Name != "ObjectMeta" && field.Name != "TypeMeta" {
				fill(t, v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool, reflect.Int32:
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}

// What becomes of an object later does not change the asset that was read from it.
func TestAssetKeepsNothingOfTheObject(t *testing.T) {
	template := &v1alpha1.WorkloadTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "t", DeletionTimestamp: &metav1.Time{}}}
	spec := "{scope: {level: project}, environment: torch, credentials: [a], mounts: [{credential: b, mountPath: /b, mode: 256}]}"
	if err := yaml.UnmarshalStrict([]byte(spec), &template.Spec); err != nil {
		t.Fatal(err)
	}
	read := asset.New(template)
	before := read.References()
	template.Spec.Credentials[0], *template.Spec.Mounts[0].Mode, template.Spec.Mounts[0].Credential = "other", 0, "other"
	template.DeletionTimestamp.Time = template.DeletionTimestamp.AddDate(1, 0, 0)
	if diff := cmp.Diff(before, read.References()); diff != "" {
		t.Error(diff)
	}
	if *read.Template.Mounts[0].Mode != 256 || !read.DeletedAt.IsZero() {
		t.Errorf("changed with its object: %+v", read)
	}
	if read.DisplayName != "t" || read.String() != `template "t"` {
		t.Errorf("is called %q and %s", read.DisplayName, read)
	}
	if other := asset.New(&v1alpha1.Credential{}); other != nil {
		t.Errorf("a Credential is an asset: %v", other)
	}
}

func TestTypesThatSourcesNeed(t *testing.T) {
	for repository, want := range map[string]v1alpha1.CredentialType{
		"https://git.example.com/a.git":      v1alpha1.Password,
		"ssh://git@git.example.com:22/a.git": v1alpha1.SSHKey,
		"git@git.example.com:a.git":          v1alpha1.SSHKey,
	} {
		if got := asset.GitNeeds(repository); got != want {
			t.Errorf("%s needs a %s, want a %s", repository, got, want)
		}
	}
}
