{{/*
Metadata of what `helm uninstall` makes before anything goes. It stays if that fails, to be looked at, until the next try.
Give a dict: root, weight; namespaced, if it is.
*/}}
{{- define "credence.uninstallMetadata" -}}
name: credence-uninstall
{{- if get . "namespaced" }}
namespace: {{ .root.Release.Namespace }}
{{- end }}
labels:
  {{- include "credence.labels" (dict "root" .root "component" "uninstall") | nindent 2 }}
annotations:
  helm.sh/hook: pre-delete
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
