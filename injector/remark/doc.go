// SPDX-License-Identifier: Apache-2.0

// Package remark has what is said about injection, on the pod itself and to its
// author: the record of what each credential and asset became, and warnings, with the
// bounds of both. Annotations on pods are read here, too, whoever wrote them.
//
// It is pure, and knows neither pods nor what they get: it imports the API, the domain
// and package annotation.
package remark
