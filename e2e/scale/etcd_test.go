// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"testing"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/credence-dev/credence/e2e/local"
)

// A batch is one transaction of etcd, which takes 128 operations and 1.5 MiB.
const (
	batchOperations = 100
	batchBytes      = 1 << 20
	batchWriters    = 4
)

// scheme knows every kind that is brought in.
var scheme = local.Scheme()

// put is one object, as etcd's JSON gateway takes it: the bytes in base64.
type put struct {
	Put struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value"`
	} `json:"request_put"`
}

// fill brings objects of built-in kinds into the cluster by writing them straight
// into etcd, as the API server would store them, while that is stopped, and so is
// Credence. Through the API server, the 65,000 objects of the largest benchmark
// would take many minutes. It starts again with all of them, so nobody sees them
// come one by one.
//
// An object needs all that the API server would give it: a UID, a creation time and
// defaults. It returns how many bytes were stored.
func (c *cluster) fill(tb testing.TB, objects iter.Seq[client.Object]) (stored int) {
	tb.Helper()
	c.stopCredence()
	c.Plane().StopAPIServer()
	stored, err := c.write(tb.Context(), objects)
	if err != nil {
		tb.Fatalf("filling etcd: %v", err)
	}
	if err := c.Plane().StartAPIServer(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return stored
}

func (c *cluster) write(ctx context.Context, objects iter.Seq[client.Object]) (stored int, err error) {
	url, etcd, err := c.Plane().Etcd()
	if err != nil {
		return 0, err
	}
	defer etcd.CloseIdleConnections()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(batchWriters)
	var (
		batch []put
		size  int
	)
	send := func() {
		whole := batch
		group.Go(func() error { return transact(ctx, etcd, url, whole) })
		batch, size = nil, 0
	}
	encoder := protobuf.NewSerializer(scheme, scheme)
	for object := range objects {
		one, err := encode(encoder, object)
		if err != nil {
			return 0, err
		}
		if len(batch) == batchOperations || size+len(one.Put.Value) > batchBytes {
			send()
		}
		batch, size = append(batch, one), size+len(one.Put.Value)
		stored += len(one.Put.Value)
	}
	send()
	return stored, group.Wait()
}

// encode makes of an object what the API server stores, and where: protobuf in an
// envelope that begins with "k8s\0", under /registry.
func encode(encoder *protobuf.Serializer, object client.Object) (one put, err error) {
	kind, err := apiutil.GVKForObject(object, scheme)
	if err != nil {
		return put{}, err
	}
	object.GetObjectKind().SetGroupVersionKind(kind)
	var value bytes.Buffer
	if err := encoder.Encode(object, &value); err != nil {
		return put{}, fmt.Errorf("encoding a %s: %w", kind.Kind, err)
	}
	resource, _ := meta.UnsafeGuessKindToResource(kind)
	key := "/registry/" + resource.Resource + "/"
	if namespace := object.GetNamespace(); namespace != "" {
		key += namespace + "/"
	}
	one.Put.Key, one.Put.Value = []byte(key+object.GetName()), value.Bytes()
	return one, nil
}

func transact(ctx context.Context, etcd *http.Client, url string, batch []put) error {
	body, err := json.Marshal(map[string]any{"success": batch})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v3/kv/txn", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := etcd.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd answers %s: %.200s", response.Status, answer)
	}
	return nil
}
