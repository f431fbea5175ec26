// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
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

func logStray(log logr.Logger) logConstructor[stray] {
	return func(s *stray) logr.Logger {
		if s == nil {
			return log
		}
		return log.WithValues("credential", s.name, "uid", s.uid)
	}
}
