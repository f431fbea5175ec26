// SPDX-License-Identifier: Apache-2.0

package pod

// maxAnnotations is how many bytes the annotations of an object may have, keys and
// values together: apimachinery's TotalAnnotationSizeLimitB.
const maxAnnotations = 256 << 10

// AnnotationsFit says whether an object that has annotations may have others, too, some
// of them in the place of its own.
func AnnotationsFit(annotations, others map[string]string) bool {
	size := 0
	for key, value := range annotations {
		if _, replaced := others[key]; !replaced {
			size += len(key) + len(value)
		}
	}
	for key, value := range others {
		size += len(key) + len(value)
	}
	return size <= maxAnnotations
}
