{{/* Labels of every object. Give a dict: root, component (optional). */}}
{{- define "credence.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: credence
{{- if get . "component" }}
{{ include "credence.selector" .component }}
{{- end }}
{{- end -}}

{{/* Labels that select the pods of one process. Names are fixed, for there is one Credence in a cluster. */}}
{{- define "credence.selector" -}}
app.kubernetes.io/name: credence
app.kubernetes.io/component: {{ . }}
{{- end -}}

{{- define "credence.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "credence.systemNamespace" -}}
{{- $name := .Values.systemNamespace.name -}}
{{- if has $name (list .Release.Namespace "kube-system") -}}
{{- fail (printf "systemNamespace.name is %q: credentials cannot live in kube-system or beside Credence's own keys; name another namespace" $name) -}}
{{- end -}}
{{ $name }}
{{- end -}}

{{/*
Annotation names that are ours, in whatever case and under whatever subdomain: a misspelt one is refused by the
webhook, so it must reach it. RE2; no quote and no backslash, because it stands in a CEL string.
*/}}
{{- define "credence.annotationPattern" -}}
(?i)^([a-z0-9-]+[.])*credence[.]dev/
{{- end -}}

{{/*
CEL: whether a pod has annotations at all. The API server leaves the field out if there are none; null is for
objects that have not come through its types. What follows must not be evaluated without this: an error refuses the pod.
*/}}
{{- define "credence.hasAnnotations" -}}
has(object.metadata.annotations) && object.metadata.annotations != null
{{- end -}}

{{/* CEL: mirror pods stand for static ones, which no admission can change. */}}
{{- define "credence.isMirrorPod" -}}
{{ include "credence.hasAnnotations" . }} && 'kubernetes.io/config.mirror' in object.metadata.annotations
{{- end -}}

{{/*
CEL: whether a pod asks for credentials. What Credence itself writes on pods and pod templates does not count.
A pod with very many annotations counts as one that asks: looking at each could exceed the cost that CEL is allowed
(1,000,000), an error that would refuse the pod even with the webhook up. 1,000 of the longest names cost a third of that.
*/}}
{{- define "credence.isAnnotatedPod" -}}
{{ include "credence.hasAnnotations" . }} &&
(object.metadata.annotations.size() > 1000 ||
object.metadata.annotations.exists(name, name.matches('{{ include "credence.annotationPattern" . }}') &&
!(name in ['credence.dev/injected', 'credence.dev/restarted-for', 'credence.dev/warnings'])))
{{- end -}}

{{/* Resources as a flag takes them, "cpu=10m,memory=64Mi". Give a map, or nothing. */}}
{{- define "credence.quantities" -}}
{{- $items := list -}}
{{- range $name, $quantity := . -}}
{{- $items = append $items (printf "%s=%v" $name $quantity) -}}
{{- end -}}
{{- join "," $items -}}
{{- end -}}
