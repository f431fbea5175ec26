// SPDX-License-Identifier: Apache-2.0

package annotation

import (
	"github.com/credence-dev/credence/credential/spelling"
)

// Nearest returns `; did you mean "…"?` with the name that was probably meant,
// or nothing where none is near.
func Nearest(name string, names []string) string { return spelling.Hint(name, names) }

func didYouMean(name string) string { return "; did you mean " + Quote(name) + "?" }
