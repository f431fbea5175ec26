// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/credence-dev/credence/controller/copies"
	"github.com/credence-dev/credence/controller/lookup"
	"github.com/credence-dev/credence/controller/users"
	"github.com/credence-dev/credence/credential/words"
	"github.com/credence-dev/credence/usage"
)

// LivePods asks the API server which live pods refer to a Secret. usage.Pods does.
type LivePods interface {
	Referring(ctx context.Context, secret types.NamespacedName) ([]types.NamespacedName, error)
}

// maxHolders bounds how many users of a copy are named.
const maxHolders = 3

// listTimeout bounds how long a list of the pods of a namespace may take.
const listTimeout = 15 * time.Second

// holders knows who needs a copy: live pods that refer to the Secret, and workloads,
// whose next pod would. A pod that the webhook admits for a workload of before may be
// on its way at any moment, and no list shows it. Templates have no pods.
type holders struct {
	lookup.Cluster
	users *users.Counter
	pods  LivePods
}

// Known asks the index.
func (h *holders) Known(c copies.Copy) (string, bool) {
	if !h.users.Index.Synced() {
		return "", false
	}
	ask := h.ask(c)
	if !h.users.Index.IsUsed(ask...) {
		return "", true
	}
	found := h.users.Index.Users(ask...)
	return words.Few(slices.Concat(found.Workloads, found.Automatic), maxHolders), true
}

// ask asks for those who refer to the Secret and, as far as its credential is what that
// means there, for those who name the credential, or an asset that gives it.
func (h *holders) ask(c copies.Copy) []usage.Query {
	direct := usage.Query{Secret: c.Name, Namespaces: []string{c.Namespace}}
	list, err := h.Credentials(context.Background(), client.MatchingFields{lookup.IndexUID: string(c.CredentialUID)})
	if err != nil || len(list) == 0 {
		return []usage.Query{direct}
	}
	return append(h.users.AskIn(&list[0], c.Namespace), direct)
}

// Live asks the API server.
func (h *holders) Live(ctx context.Context, secret types.NamespacedName) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	pods, err := h.pods.Referring(ctx, secret)
	if err != nil {
		return "", err
	}
	users := make([]usage.User, 0, len(pods))
	for _, pod := range pods {
		users = append(users, usage.User{Kind: "Pod", NamespacedName: pod})
	}
	return words.Few(users, maxHolders), nil
}
