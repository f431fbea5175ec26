// SPDX-License-Identifier: Apache-2.0

package feed

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/credence-dev/credence/api/v1alpha1"
	"github.com/credence-dev/credence/credential"
	"github.com/credence-dev/credence/credential/asset"
	"github.com/credence-dev/credence/credential/catalog"
)

// TestDeletes hands the handlers every shape in which an informer tells of a
// deletion, down to a tombstone that holds no object, and things that are none.
func TestDeletes(t *testing.T) {
	team := Namespace()
	team.Name, team.Labels = "team-a", map[string]string{v1alpha1.LabelProject: "a"}
	login := &v1alpha1.Credential{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "login"}}
	login.Spec.Scope.Level = v1alpha1.ScopeProject
	tools := &v1alpha1.Environment{ObjectMeta: login.ObjectMeta}
	tools.Spec.Scope.Level = v1alpha1.ScopeProject

	for name, test := range map[string]struct {
		credential, namespace any
		stays                 bool
	}{
		"objects":                  {login, team, false},
		"tombstones":               {toolscache.DeletedFinalStateUnknown{Key: "team-a/login", Obj: login}, toolscache.DeletedFinalStateUnknown{Key: "team-a", Obj: team}, false},
		"tombstones without":       {toolscache.DeletedFinalStateUnknown{Key: "team-a/login"}, toolscache.DeletedFinalStateUnknown{Key: "team-a"}, false},
		"tombstones of the others": {toolscache.DeletedFinalStateUnknown{Key: "team-a/other"}, toolscache.DeletedFinalStateUnknown{Key: "team-b"}, true},
		"malformed tombstones":     {toolscache.DeletedFinalStateUnknown{Key: "a/b/c"}, toolscache.DeletedFinalStateUnknown{Key: "a/b/c"}, true},
		"no objects at all":        {"team-a/login", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			known := catalog.New(credential.DefaultLayout())
			namespaces(known).OnAdd(team, true)
			credentials(known).OnAdd(login, true)
			assets(known, asset.Environment).OnAdd(tools, true)
			place, _ := known.Place("team-a")

			of := test.credential
			switch tombstone, isOne := of.(toolscache.DeletedFinalStateUnknown); {
			case of == login:
				of = tools
			case isOne && tombstone.Obj != nil:
				of = toolscache.DeletedFinalStateUnknown{Key: tombstone.Key, Obj: tools}
			}
			assets(known, asset.DataSource).OnDelete(of)
			if _, found := known.LookupAsset(asset.Environment, place, "login"); !found {
				t.Error("an environment went with a data source of its name")
			}
			assets(known, asset.Environment).OnDelete(of)
			if _, found := known.LookupAsset(asset.Environment, place, "login"); found != test.stays {
				t.Errorf("environment is found: %v", found)
			}
			credentials(known).OnDelete(test.credential)
			if _, found := known.Lookup(place, "login"); found != test.stays {
				t.Errorf("credential %v is found: %v", types.NamespacedName{Namespace: "team-a", Name: "login"}, found)
			}
			namespaces(known).OnDelete(test.namespace)
			if _, found := known.Place("team-a"); found != test.stays {
				t.Errorf("namespace is known: %v", found)
			}
		})
	}
}

// TestForeignObjects: what is no object of the kind changes nothing.
func TestForeignObjects(t *testing.T) {
	known := catalog.New(credential.DefaultLayout())
	before := known.Changed()
	for _, handler := range []toolscache.ResourceEventHandler{namespaces(known), credentials(known), assets(known, asset.Environment)} {
		handler.OnAdd("no object", false)
		handler.OnUpdate(nil, toolscache.DeletedFinalStateUnknown{Key: "a"})
	}
	select {
	case <-before:
		t.Error("the catalog changed")
	default:
	}
}
