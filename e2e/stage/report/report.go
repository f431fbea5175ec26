// SPDX-License-Identifier: Apache-2.0

// Package report is what the probe says of its container, as lines of JSON: digests
// of values, never a value. The probe writes them, scenarios read them.
package report

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// Line is what is known of one variable or one file.
type Line struct {
	// Env is the name of a variable, File the path of a file; one of them is set.
	Env  string `json:"env,omitempty"`
	File string `json:"file,omitempty"`
	// Missing says that there is none.
	Missing bool `json:"missing,omitempty"`
	// Unreadable says that there is a file, and that the container's user may not read it.
	Unreadable bool `json:"unreadable,omitempty"`
	// SHA256 is the digest of the content.
	SHA256 string `json:"sha256,omitempty"`
	// Mode is that of the file, such as "0440".
	Mode string `json:"mode,omitempty"`
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`
}

// Digest is what stands for a value.
func Digest(value []byte) string {
	sum := sha256.Sum256(value)
	return hex.EncodeToString(sum[:])
}

// Seen is the last that was said of each variable and each file.
type Seen struct {
	Env, Files map[string]Line
	// Lines are all of them, in their order.
	Lines []Line
}

// Read reads the log of a probe. A line that is not whole yet is left out.
func Read(log io.Reader) (Seen, error) {
	seen := Seen{Env: map[string]Line{}, Files: map[string]Line{}}
	reader := bufio.NewReader(log)
	for {
		text, err := reader.ReadBytes('\n')
		if err == io.EOF {
			return seen, nil
		}
		if err != nil {
			return seen, fmt.Errorf("reading the log of a probe: %w", err)
		}
		var line Line
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&line); err != nil {
			return seen, fmt.Errorf("line %d of the log of a probe is none of a probe's", len(seen.Lines)+1)
		}
		seen.Lines = append(seen.Lines, line)
		if line.Env != "" {
			seen.Env[line.Env] = line
		} else {
			seen.Files[line.File] = line
		}
	}
}

// HasEnv is true if the variable has the value.
func (s Seen) HasEnv(name, value string) bool {
	line, known := s.Env[name]
	return known && !line.Missing && line.SHA256 == Digest([]byte(value))
}

// HasFile is true if the file has the content.
func (s Seen) HasFile(path, content string) bool {
	line, known := s.Files[path]
	return known && line.SHA256 == Digest([]byte(content))
}
