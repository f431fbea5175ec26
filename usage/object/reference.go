// SPDX-License-Identifier: Apache-2.0

package object

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Reference is that an object refers to a name in its own namespace: a
// credential's, an asset's, a Secret's, or a service account's, through which it may
// refer to more. What an asset refers to is not known here: that depends on where
// the asset lives, not on who names it.
type Reference struct {
	Kind Kind
	Name string
	How  How
	// Readers are a pod's containers that read the Secret through environment
	// variables, a bit for each in the order of StartTimes.
	Readers uint64
}

// How an object refers to something.
type How uint8

const (
	// Uses is any way but those below: somebody wants it.
	Uses How = 1 << iota
	// Pulls is a pod's pull secret, which may be an automatic one.
	Pulls
	// Automatic is what the record of the injection says of a pod's pull secret. By
	// itself it is no use.
	Automatic
)

// referable are the kinds that may be referred to, in the order of their codes in
// References. Service accounts are the last.
var referable = []Kind{Credential, Environment, DataSource, WorkloadTemplate, Secret, ServiceAccount}

// References are an object's, in a form that is equal where they are: sorted by
// kind and name, of which each stands once; then a byte for the kind, a byte for
// how, the readers, the length of the name and the name.
type References string

func code(kind Kind) int { return slices.Index(referable, kind) }

// Compare orders two names of a namespace as References are sorted.
func Compare(a, b ID) int {
	return cmp.Or(cmp.Compare(code(a.Kind), code(b.Kind)), cmp.Compare(a.Name, b.Name))
}

// encode makes References of a list, which it sorts.
func encode(list []Reference) References {
	slices.SortFunc(list, func(a, b Reference) int {
		return Compare(ID{Kind: a.Kind, Name: a.Name}, ID{Kind: b.Kind, Name: b.Name})
	})
	encoded := make([]byte, 0, 256)
	for i := 0; i < len(list); {
		one := list[i]
		for i++; i < len(list) && list[i].Kind == one.Kind && list[i].Name == one.Name; i++ {
			one.How |= list[i].How
			one.Readers |= list[i].Readers
		}
		encoded = append(encoded, byte(code(one.Kind)), byte(one.How))
		encoded = binary.AppendUvarint(encoded, one.Readers)
		encoded = binary.AppendUvarint(encoded, uint64(len(one.Name)))
		encoded = append(encoded, one.Name...)
	}
	return References(encoded)
}

// List returns the references one by one.
func (r References) List() []Reference {
	var list []Reference
	for rest := []byte(r); len(rest) > 0; {
		one := Reference{Kind: referable[rest[0]], How: How(rest[1])}
		readers, width := binary.Uvarint(rest[2:])
		rest = rest[2+width:]
		length, width := binary.Uvarint(rest)
		rest = rest[width:]
		one.Readers, one.Name = readers, string(rest[:length])
		list, rest = append(list, one), rest[length:]
	}
	return list
}
