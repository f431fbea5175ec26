// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/credence-dev/credence/credential/catalog"
	"github.com/credence-dev/credence/usage"
)

type logConstructor[request comparable] = func(*request) logr.Logger

func logRequest(log logr.Logger) logConstructor[reconcile.Request] {
	return func(request *reconcile.Request) logr.Logger {
		if request == nil {
			return log
		}
		return log.WithValues("credential", request.Name, "namespace", request.Namespace)
	}
}

func logWorkload(log logr.Logger) logConstructor[usage.Workload] {
	return func(w *usage.Workload) logr.Logger {
		if w == nil {
			return log
		}
		return log.WithValues("workload", w.Kind+" "+w.String())
	}
}

func logAsset(log logr.Logger) logConstructor[catalog.Object] {
	return func(id *catalog.Object) logr.Logger {
		if id == nil {
			return log
		}
		return log.WithValues("asset", id.String())
	}
}

func logPlain[request comparable](log logr.Logger) logConstructor[request] {
	return func(*request) logr.Logger { return log }
}
