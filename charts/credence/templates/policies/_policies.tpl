{{/*
Our resources that have spec.scope, which policies and roles are for. A new one is one line here. Values have no part
in it.
*/}}
{{- define "credence.scopedResources" -}}
- credentials
{{- end -}}

{{/* The binding that puts a policy into force, everywhere. Give a dict: root, name. */}}
{{- define "credence.policyBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "credence.labels" (dict "root" .root) | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
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
