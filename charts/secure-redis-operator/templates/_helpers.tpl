{{- define "secure-redis.fullname" -}}
{{- .Values.fullnameOverride | default "secure-redis-operator" -}}
{{- end -}}

{{- define "secure-redis.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "secure-redis.fullname" .) -}}
{{- end -}}

{{- define "secure-redis.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "secure-redis.serviceAccountName" . }}
{{- end -}}

{{- define "secure-redis.selectorLabels" -}}
app.kubernetes.io/name: secure-redis-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "secure-redis.labels" -}}
{{ include "secure-redis.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "secure-redis.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* The one subject that every binding of this chart names. */ -}}
{{- define "secure-redis.subjects" -}}
- kind: ServiceAccount
  name: {{ include "secure-redis.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- /* So that a policy is evaluated for the operator and for nobody else. */ -}}
{{- define "secure-redis.onlyOperator" -}}
- name: only-the-operator
  expression: request.userInfo.username == '{{ include "secure-redis.username" . }}'
{{- end -}}

{{- /* CEL: two maps (a list of: new, old, the names that may differ as a CEL list) are the same but for these. */ -}}
{{- define "secure-redis.sameBut" -}}
{{ index . 0 }}.all(k, k in {{ index . 2 }} || (k in {{ index . 1 }} && {{ index . 0 }}[k] == {{ index . 1 }}[k])) && {{ index . 1 }}.all(k, k in {{ index . 2 }} || k in {{ index . 0 }})
{{- end -}}

{{- /* CEL: a member (a list of: map, name, what is taken where it is absent). */ -}}
{{- define "secure-redis.member" -}}
(has({{ index . 0 }}.{{ index . 1 }}) ? {{ index . 0 }}.{{ index . 1 }} : {{ index . 2 }})
{{- end -}}
