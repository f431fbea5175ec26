// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	clientset "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// The bundle is that of all files, each CA once, in every entry that is ours, and follows the files. Nobody else's Secret is
// read, also if it is there.
func TestPublisherOfFiles(t *testing.T) {
	folder := t.TempDir()
	one, two := filepath.Join(folder, "one"), filepath.Join(folder, "two")
	first, second := mustSigner(t, epoch, time.Hour), mustSigner(t, epoch, time.Hour)
	c := newCluster(t, Settings{}, mutating("m", "a", "b"), validating("v", "a"), mutating("alone", "a"))
	c.rotate()
	c.publisher.Files, c.publisher.Mutating = []string{one, two}, []string{"alone", "absent"}

	write(t, one, encodeBundle(first.certificate))
	write(t, two, append([]byte("# both, while one takes over from the other\n"), encodeBundle(second.certificate, first.certificate)...))
	c.publish()
	everywhere := func(bundle []byte) map[string]string {
		return map[string]string{"m/a": string(bundle), "m/b": string(bundle), "v/a": string(bundle), "alone/a": string(bundle)}
	}
	want := everywhere(encodeBundle(first.certificate, second.certificate))
	if diff := cmp.Diff(want, c.bundles()); diff != "" {
		t.Errorf("caBundle (-want +got):\n%s", diff)
	}
	write(t, one, encodeBundle(second.certificate))
	write(t, two, encodeBundle(second.certificate))
	c.publish()
	if diff := cmp.Diff(everywhere(encodeBundle(second.certificate)), c.bundles()); diff != "" {
		t.Errorf("caBundle after the files changed (-want +got):\n%s", diff)
	}
	if strings.Contains(c.bundles()["m/a"], string(c.secret().Data[corev1.TLSCertKey])) {
		t.Error("the CA of a Secret is published besides")
	}
}

// Who cannot read all CAs leaves what is published as it is, and says which file is the matter; never what is in it.
func TestPublisherOfBadFiles(t *testing.T) {
	ca := mustSigner(t, epoch, time.Hour)
	good := encodeBundle(ca.certificate)
	for name, test := range map[string]struct {
		content []byte // nil: there is no such file
		want    string
	}{
		"none":          {nil, "no such file"},
		"an empty one":  {[]byte{}, "must hold certificates"},
		"no PEM":        {[]byte("not-a-certificate"), "must hold certificates"},
		"a key as well": {append(append([]byte{}, good...), ca.keyPEM...), "must hold certificates"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			fine, bad := filepath.Join(folder, "fine"), filepath.Join(folder, "bad")
			write(t, fine, good)
			if test.content != nil {
				write(t, bad, test.content)
			}
			c := newCluster(t, Settings{}, mutating("m", "a"))
			c.publisher.Files = []string{fine, bad}
			_, err := c.publisher.Reconcile(t.Context(), reconcile.Request{})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), bad) {
				t.Errorf("the error is %v, want one that names the file and says %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "not-a-certificate") {
				t.Errorf("the error has what is in the file: %v", err)
			}
			if got := c.bundles()["m/a"]; got != "" {
				t.Errorf("published all the same: %q", got)
			}
		})
	}
}

func TestFilesAreWatched(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	if err := watchFiles([]string{file}, time.Millisecond).Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	asked := func() bool {
		if queue.Len() == 0 {
			return false
		}
		request, _ := queue.Get()
		queue.Done(request)
		return true
	}
	if !asked() {
		t.Error("nobody looks at the start")
	}
	for what, content := range map[string]string{"comes": "one", "changes": "two"} {
		write(t, file, []byte(content))
		eventually(t, "somebody looks when a file "+what, asked)
	}
}

func TestSetupPublisher(t *testing.T) {
	mgr := newManager(t)
	if err := SetupPublisher(mgr, clientset.NewClientset(), &Publisher{}); err == nil {
		t.Error("it is set up without anything to publish")
	}
	publisher := &Publisher{Files: []string{"absent"}}
	if err := SetupPublisher(mgr, clientset.NewClientset(), publisher); err != nil {
		t.Fatal(err)
	}
	if publisher.Client == nil || publisher.Reader == nil {
		t.Error("the publisher's defaults were not filled in")
	}
}
