// SPDX-License-Identifier: Apache-2.0

package pod

import (
	"github.com/go-json-experiment/json/jsontext"
)

// NewContainer is a container that is added to a pod.
type NewContainer struct {
	Name                     string         `json:"name"`
	Image                    string         `json:"image"`
	Command                  []string       `json:"command,omitempty"`
	Args                     []string       `json:"args,omitempty"`
	Env                      []EnvVar       `json:"env,omitempty"`
	Resources                Resources      `json:"resources,omitzero"`
	VolumeMounts             []VolumeMount  `json:"volumeMounts,omitempty"`
	RestartPolicy            string         `json:"restartPolicy,omitempty"`
	StartupProbe             *Probe         `json:"startupProbe,omitempty"`
	TerminationMessagePolicy string         `json:"terminationMessagePolicy,omitempty"`
	SecurityContext          jsontext.Value `json:"securityContext,omitempty"`
}

// Resources are quantities by resource.
type Resources struct {
	Requests map[string]string `json:"requests,omitempty"`
	Limits   map[string]string `json:"limits,omitempty"`
}

// Probe is a command that says whether a container has started.
type Probe struct {
	Exec             Exec  `json:"exec"`
	PeriodSeconds    int32 `json:"periodSeconds"`
	FailureThreshold int32 `json:"failureThreshold"`
}

// Exec is a command, run without a shell.
type Exec struct {
	Command []string `json:"command"`
}
