{{/* Serving certificates that the controller does not make. Which modes there are, and why, is in docs/adr. */}}

{{/* The Secret that processes serve with; empty where each signs its own certificate. */}}
{{- define "credence.certificateSecret" -}}
{{- if eq .Values.certs.mode "cert-manager" -}}
credence-serving
{{- else if eq .Values.certs.mode "provided" -}}
{{- required "certs.provided.secretName is missing: certs.mode is provided, so name the Secret in the install namespace that has tls.crt, tls.key and ca.crt" .Values.certs.provided.secretName -}}
{{- end -}}
{{- end -}}

{{/* What of it is mounted. A key that it lacks keeps the pods from starting, and their events say which. */}}
{{- define "credence.certificateKeys" -}}
{{- if eq .Values.certs.mode "provided" -}}
[tls.crt, tls.key, ca.crt]
{{- else -}}
[tls.crt, tls.key]
{{- end -}}
{{- end -}}

{{/* The host names that API servers reach both processes by, as a YAML list. */}}
{{- define "credence.certificateHosts" -}}
{{- $hosts := list -}}
{{- range $process := list "webhook" "controller" -}}
{{- with (index $.Values $process).url -}}
{{- $hosts = append $hosts (regexReplaceAll ":[0-9]+$" (urlParse .).host "" | trimPrefix "[" | trimSuffix "]") -}}
{{- else -}}
{{- $hosts = append $hosts (printf "credence-%s.%s.svc" $process $.Release.Namespace) -}}
{{- end -}}
{{- end -}}
{{- uniq $hosts | toYaml -}}
{{- end -}}

{{/* Has cert-manager write its CA into all entries of a webhook configuration. */}}
{{- define "credence.caInjection" -}}
{{- if eq .Values.certs.mode "cert-manager" -}}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/credence-serving
{{- end -}}
{{- end -}}
