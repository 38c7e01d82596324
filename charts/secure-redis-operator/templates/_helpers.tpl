{{- define "secure-redis.name" -}}
{{- .Values.nameOverride | default "secure-redis-operator" -}}
{{- end -}}

{{- define "secure-redis.fullname" -}}
{{- .Values.fullnameOverride | default (include "secure-redis.name" .) -}}
{{- end -}}

{{- define "secure-redis.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "secure-redis.fullname" .) -}}
{{- end -}}

{{- define "secure-redis.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "secure-redis.serviceAccountName" . }}
{{- end -}}

{{- define "secure-redis.selectorLabels" -}}
app.kubernetes.io/name: {{ include "secure-redis.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Labels that no value may replace. */ -}}
{{- define "secure-redis.ownLabels" -}}
{{ include "secure-redis.selectorLabels" . }}
app.kubernetes.io/part-of: {{ include "secure-redis.name" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "secure-redis.labels" -}}
{{- toYaml (merge (include "secure-redis.ownLabels" . | fromYaml) .Values.commonLabels) -}}
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

{{- /* What every container of ours may do: nothing. */ -}}
{{- define "secure-redis.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ . }}
runAsGroup: {{ . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}
{{- define "secure-redis.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* Configuration and authorities under /etc/secure-redis. */ -}}
{{- define "secure-redis.configVolume" -}}
{{- $ca := .Values.caBundle -}}
name: config
{{- if or $ca.configMap $ca.secret }}
projected:
  sources:
    - configMap:
        name: {{ include "secure-redis.fullname" . }}
    - {{ ternary "configMap" "secret" (ne $ca.configMap "") }}:
        name: {{ $ca.configMap | default $ca.secret }}
        items:
          - key: {{ $ca.key }}
            path: ca.pem
{{- else }}
configMap:
  name: {{ include "secure-redis.fullname" . }}
{{- end }}
{{- end -}}

{{- /* Where the pods, or the hooks' pods, may run. */ -}}
{{- define "secure-redis.placement" -}}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .Values.schedulerName }}
schedulerName: {{ . }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* A pod of a hook: the operator's image and rights, one subcommand. A list of: root, container's name, arguments. */ -}}
{{- define "secure-redis.hookPod" -}}
{{- $ := index . 0 -}}
serviceAccountName: {{ include "secure-redis.serviceAccountName" $ }}
automountServiceAccountToken: true
restartPolicy: Never
securityContext:
  {{- include "secure-redis.podSecurity" $ | nindent 2 }}
{{- with $.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ index . 1 }}
    image: {{ include "secure-redis.image" $ }}
    imagePullPolicy: {{ $.Values.image.pullPolicy }}
    args: {{ index . 2 | toJson }}
    env:
      - name: POD_NAMESPACE
        valueFrom:
          fieldRef:
            fieldPath: metadata.namespace
    securityContext:
      {{- include "secure-redis.containerSecurity" $ | nindent 6 }}
    resources:
      requests: {cpu: 10m, memory: 96Mi}
      limits: {memory: 160Mi}
    volumeMounts:
      - name: config
        mountPath: /etc/secure-redis
        readOnly: true
      - name: tmp
        mountPath: /tmp
volumes:
  - {{- include "secure-redis.configVolume" $ | nindent 4 }}
  - name: tmp
    emptyDir:
      sizeLimit: 16Mi
{{- include "secure-redis.placement" $ }}
{{- end -}}

{{- /* Whether an object of an API that the cluster may lack is rendered. A list of: root, the value's name, its dict, the API's version/kind. */ -}}
{{- define "secure-redis.renders" -}}
{{- $ := index . 0 }}{{ $name := index . 1 }}{{ $value := index . 2 }}{{ $api := index . 3 -}}
{{- if $value.enabled -}}
{{- if or (eq $value.renderMode "alwaysRender") ($.Capabilities.APIVersions.Has $api) -}}
yes
{{- else if eq $value.renderMode "failIfMissing" -}}
{{- fail (printf "%s.enabled: this cluster has no %s; install the Prometheus operator first, or set %s.renderMode to skipIfMissing, or to alwaysRender where no cluster is asked (helm template, GitOps)" $name $api $name) -}}
{{- end -}}
{{- end -}}
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

{{/*
Whether a RoleBinding can be applied: (list <namespace> <name>). The API server creates nothing in a namespace that is being deleted, and one such
namespace would fail the whole installation. A RoleBinding that exists there stays, so that the operator can end its work.
*/}}
{{- define "secure-redis.bindable" -}}
{{- $namespace := lookup "v1" "Namespace" "" (index . 0) -}}
{{- $terminating := eq (dig "status" "phase" "" $namespace) "Terminating" -}}
{{- if or (not $terminating) (lookup "rbac.authorization.k8s.io/v1" "RoleBinding" (index . 0) (index . 1)) -}}
true
{{- end -}}
{{- end -}}

{{- /* The name by which an install claims resources: its Lease. */ -}}
{{- define "secure-redis.install" -}}
{{ dig "leaderElection" "namespace" .Release.Namespace .Values.config }}/secure-redis-operator
{{- end -}}

{{- /* CEL variables: the annotations of a SecureRedisCache and its claim, before and now. */ -}}
{{- define "secure-redis.claimVariables" -}}
- name: annotations
  expression: {{ include "secure-redis.member" (tuple "object.metadata" "annotations" "{}") | quote }}
- name: oldAnnotations
  expression: "oldObject != null && has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}"
- name: claim
  expression: variables.annotations[?'secureredis.io/operator'].orValue('')
- name: oldClaim
  expression: variables.oldAnnotations[?'secureredis.io/operator'].orValue('')
{{- end -}}
