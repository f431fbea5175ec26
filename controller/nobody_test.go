// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/credence-dev/credence/controller/copies"
)

// nobody needs a copy.
type nobody struct{}

func (nobody) Known(copies.Copy) (string, bool) { return "", true }

func (nobody) Live(context.Context, types.NamespacedName) (string, error) { return "", nil }
