// SPDX-License-Identifier: Apache-2.0

// Package certs owns the serving certificates of Credence's HTTPS servers: where a process gets its certificate from, and
// in self-managed mode the CA behind it, its rotation and the publication of its bundle.
//
// # Who does what
//
//   - [Source] gives a server its certificate. [SelfManaged] has every process sign its own leaf in memory; [FromFiles] reads
//     files that cert-manager or the user keeps.
//   - [Authority] signs those leaves. It reads one Secret, the CA Secret, and writes nothing.
//   - [Rotator] makes and rotates the CA Secret. It runs on the leading controller only.
//   - [Publisher] writes the bundle of that Secret into every entry of every webhook configuration of ours, and repairs it.
//
// Who does it depends on the chart's certs.mode:
//
//	             serves with              makes and renews it        publishes the CA
//	self         SelfManaged              Rotator, every process     Publisher, of the CA Secret
//	cert-manager FromFiles (--cert-dir)   cert-manager               cert-manager, by annotation
//	provided     FromFiles (--cert-dir)   the user                   Publisher, of files (--ca-files)
//
// There is never more than one who publishes: two who write one field in turns would never end.
//
// # A rotation in self-managed mode
//
//  1. At two thirds of the CA's life the Rotator makes the next CA and adds it to the bundle. Nothing signs with it yet.
//  2. The Publisher writes the bundle everywhere. Once it has arrived, a delay runs in which API servers catch up.
//  3. The next CA becomes the signing one, and every process signs a new leaf as soon as it sees that.
//  4. The old CA stays in the bundle until no leaf that it can have signed is valid any more.
//
// So publishing always comes before serving, and no request fails (cert-controller#13 and cluster-api#10522 are what happens
// otherwise). All state is in the CA Secret, so a new leader goes on where the old one stopped.
//
// Two things an operator can do by hand:
//
//   - kubectl annotate secret NAME credence.dev/rotate-ca=now starts the same rotation early; it disturbs nobody, and the old
//     CA stays trusted for some days.
//   - kubectl delete secret NAME makes a new CA at once and stops trusting the old one, which is what a leaked key asks for.
//     Overlap is impossible then: until the new bundle has reached the API servers (seconds) webhook calls can fail.
//
// # Limits
//
// The package knows nothing of what the servers serve: it must not import webhook, controller, server, usage, injector or
// credential. The only part that knows of admission is publisher.go.
//
// Leaf keys are ECDSA P-384, because cert-manager's DynamicSource makes them so. That costs about a millisecond per handshake
// in Go and nothing per request; API servers keep their connections alive.
package certs
