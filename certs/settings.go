// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Defaults of [Settings].
const (
	DefaultCADuration       = 365 * 24 * time.Hour
	DefaultRotateAt         = 2.0 / 3
	DefaultPropagationDelay = 10 * time.Minute
	DefaultLeafDuration     = 7 * 24 * time.Hour
	DefaultSlack            = 24 * time.Hour
)

// Settings say how long CAs and leaves live, and how a rotation is paced. A zero field means its default.
type Settings struct {
	// CommonName is the subject of new CAs; default "credence-ca".
	CommonName string
	// CADuration is how long a new CA is valid; default 365 days.
	CADuration time.Duration
	// RotateAt is the share of a CA's life, between 0 and 1, after which the next one is made; default 2/3.
	RotateAt float64
	// PropagationDelay is how long the next CA stays published everywhere before it signs: the time that every API server
	// is given to notice; default 10 minutes.
	PropagationDelay time.Duration
	// LeafDuration is how long a leaf is valid; default 7 days. Every process's [Authority] must have the same.
	LeafDuration time.Duration
	// Slack is how much longer than LeafDuration a CA stays trusted after it has signed for the last time as far as the
	// Rotator knows: how late a process may notice that it is to sign with another one; default 1 day.
	Slack time.Duration
}

// WithDefaults returns s with every zero field filled in.
func (s Settings) WithDefaults() Settings {
	s.CommonName = cmp.Or(s.CommonName, "credence-ca")
	s.CADuration = cmp.Or(s.CADuration, DefaultCADuration)
	s.RotateAt = cmp.Or(s.RotateAt, DefaultRotateAt)
	s.PropagationDelay = cmp.Or(s.PropagationDelay, DefaultPropagationDelay)
	s.LeafDuration = cmp.Or(s.LeafDuration, DefaultLeafDuration)
	s.Slack = cmp.Or(s.Slack, DefaultSlack)
	return s
}

// Validate returns every reason why s, defaults filled in, cannot work.
func (s Settings) Validate() error {
	s = s.WithDefaults()
	var errs []error
	positive := func(name string, d time.Duration) {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("%s must be positive, not %s", name, d))
		}
	}
	positive("CADuration", s.CADuration)
	positive("PropagationDelay", s.PropagationDelay)
	positive("LeafDuration", s.LeafDuration)
	positive("Slack", s.Slack)
	if s.RotateAt <= 0 || s.RotateAt >= 1 {
		errs = append(errs, fmt.Errorf("RotateAt must lie between 0 and 1, not %g", s.RotateAt))
	} else if left := time.Duration((1 - s.RotateAt) * float64(s.CADuration)); left < 2*s.PropagationDelay {
		errs = append(errs, fmt.Errorf("a CA rotated at %g of %s has %s left, which must be at least twice PropagationDelay (%s)",
			s.RotateAt, s.CADuration, left, s.PropagationDelay))
	}
	if s.LeafDuration >= s.CADuration {
		errs = append(errs, fmt.Errorf("LeafDuration (%s) must be less than CADuration (%s)", s.LeafDuration, s.CADuration))
	}
	return errors.Join(errs...)
}

// due is when the successor of ca is to be made.
func (s Settings) due(ca *x509.Certificate) time.Time {
	life := ca.NotAfter.Sub(ca.NotBefore)
	return ca.NotBefore.Add(time.Duration(s.RotateAt * float64(life)))
}

// retireAt is when a CA that stops signing at now has no valid leaf left.
func (s Settings) retireAt(now time.Time) time.Time {
	return fullSecond(now.Add(s.LeafDuration + s.Slack))
}

// fullSecond rounds up, because RFC 3339 times in annotations have full seconds and a delay may not become shorter.
func fullSecond(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second).UTC()
}
