{{/*
Our resources that have spec.scope, which policies and roles are for. A new one is one line here. Values have no part
in it.
*/}}
{{- define "credence.scopedResources" -}}
- credentials
- environments
- datasources
- workloadtemplates
{{- end -}}

{{/*
The binding that puts a policy into force, everywhere. Give a dict: root, name; actions (default Deny), and more of the
spec as YAML, if any. What ends in a suffix is one of several bindings.
*/}}
{{- define "credence.policyBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}{{ get . "suffix" }}
  labels:
    {{- include "credence.labels" (dict "root" .root) | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: {{ get . "actions" | default (list "Deny") | toJson }}
  {{- with get . "more" }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
CEL: whether it is the garbage collector or the namespace controller who asks, for those who deleted an owner or the
namespace. The last is the identity of all controllers of Kubernetes where each has none of its own.
*/}}
{{- define "credence.isClearer" -}}
request.userInfo.username in [
  'system:serviceaccount:kube-system:generic-garbage-collector',
  'system:serviceaccount:kube-system:namespace-controller',
  'system:kube-controller-manager']
{{- end -}}

{{/* CEL: whether the annotation force-delete is on an object, with a value that means something. Give the CEL variable. */}}
{{- define "credence.isForced" -}}
{{ . }}.metadata.?annotations[?'credence.dev/force-delete'].orValue('') in ['true', 'keep']
{{- end -}}

{{/* Match conditions: those of deletes that may be refused for what is in use. Nothing keeps the others from going. */}}
{{- define "credence.isHeldBack" -}}
- name: not-being-deleted
  expression: |-
    !has(oldObject.metadata.deletionTimestamp)
- name: not-forced
  expression: |-
    !({{ include "credence.isForced" "oldObject" }})
- name: not-the-garbage-or-namespace-controller
  expression: |-
    !({{ include "credence.isClearer" . | nindent 4 }})
{{- end -}}

{{/*
Variables that say who uses something, in the words of webhook/deletes/words.go: users is "2 workloads and 1 template: ",
the names of some, and what to do. Give CEL for its usedBy.
*/}}
{{- define "credence.usersVariables" -}}
- name: used
  expression: |-
    {{ . }}
- name: counts
  expression: |-
    {{- range $at, $field := list "workloads" "templates" "environments" "dataSources" }}
    {{- $word := snakecase $field | replace "_" " " | trimSuffix "s" }}
    {{ if $at }}+ {{ end }}(variables.used.?{{ $field }}.orValue(0) == 0 ? [] :
    variables.used.{{ $field }} == 1 ? ['1 {{ $word }}'] : [string(variables.used.{{ $field }}) + ' {{ $word }}s'])
    {{- end }}
- name: numbers
  expression: |-
    variables.counts.size() < 2 ? variables.counts.join('') :
    variables.counts.filter(count, count != variables.counts[variables.counts.size() - 1]).join(', ') +
    ' and ' + variables.counts[variables.counts.size() - 1]
- name: names
  expression: |-
    [0, 1, 2, 3, 4].filter(at, at < variables.used.?names.orValue([]).size()).map(at, string(variables.used.names[at]))
- name: users
  expression: |-
    variables.numbers + ': ' + variables.names.join(', ') +
    (variables.names.size() < variables.used.total ? ', … ' : '') + '; detach it there first'
{{- end -}}

{{/* What both policies for our own kinds match. Give the operations. */}}
{{- define "credence.matchScopedResources" -}}
matchPolicy: Equivalent
resourceRules:
  - apiGroups: [credence.dev]
    apiVersions: ["*"]
    # Status is a subresource, in which metadata and spec cannot be changed.
    resources: {{ include "credence.scopedResources" . | fromYamlArray | toJson }}
    operations: {{ toJson . }}
    scope: Namespaced
{{- end -}}

{{/*
CEL: the virtual resource that stands for the scope of an object, as a list of resource and name. A level that is none
of ours counts as the widest. Give a dict: object (the CEL variable), project (CEL for the name of the project).
*/}}
{{- define "credence.scopeTarget" -}}
{{ .object }}.?spec.?scope.?level.orValue('') == 'project' ? ['projects', {{ .project }}] :
{{ .object }}.?spec.?scope.?level.orValue('') == 'department' ? ['departments', string({{ .object }}.?spec.?scope.?department.orValue(''))] :
['clusters', 'local']
{{- end -}}

{{/*
CEL: whether the user has a right. One of these costs 350,000 of the 1,000,000 that an expression may cost: two of them
in one expression are the most. Give a dict: verb, and CEL for resource and name. The empty name is for all.
*/}}
{{- define "credence.allowed" -}}
authorizer.group('credence.dev').resource({{ .resource }}).name({{ .name }}).check('{{ .verb }}').allowed()
{{- end -}}
