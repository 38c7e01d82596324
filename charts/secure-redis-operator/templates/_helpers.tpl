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

{{- /* A container of extraContainers or extraInitContainers, with the chart's security context where it sets none of its own. A list of: root, container. */ -}}
{{- define "secure-redis.extraContainer" -}}
{{- $ := index . 0 }}{{ $container := index . 1 }}
{{- $security := merge (deepCopy ($container.securityContext | default dict)) $.Values.securityContext }}
{{- list (merge (dict "securityContext" $security) $container) | toYaml }}
{{- end -}}

{{- /* A probe. A list of: the value, the path. Nothing if it is disabled. */ -}}
{{- define "secure-redis.probe" -}}
{{- $probe := index . 0 -}}
{{- if and $probe $probe.enabled -}}
httpGet: {path: {{ index . 1 }}, port: http}
{{- with omit $probe "enabled" }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* The Secrets with registry credentials, of this chart and of its parent, each once; a string is a name. */ -}}
{{- define "secure-redis.imagePullSecrets" -}}
{{- $names := list }}
{{- range concat .Values.imagePullSecrets (.Values.global.imagePullSecrets | default list) }}
{{- $names = append $names (ternary . (get (ternary dict . (kindIs "string" .)) "name") (kindIs "string" .)) }}
{{- end }}
{{- range uniq $names }}
- name: {{ . }}
{{- end }}
{{- end -}}

{{- /* The operator's API token, for the container that mounts it and for no other. */ -}}
{{- define "secure-redis.tokenVolume" -}}
- name: token
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
{{- end -}}

{{- /* Configuration and authorities under /etc/secure-redis, and /tmp. */ -}}
{{- define "secure-redis.volumes" -}}
{{- $ca := .Values.caBundle -}}
- name: config
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
- name: tmp
  emptyDir:
    sizeLimit: 16Mi
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

{{- /* A pod of a hook: the operator's image and permissions, one subcommand. A list of: root, container's name, arguments. */ -}}
{{- define "secure-redis.hookPod" -}}
{{- $ := index . 0 -}}
serviceAccountName: {{ include "secure-redis.serviceAccountName" $ }}
automountServiceAccountToken: true
enableServiceLinks: {{ $.Values.enableServiceLinks }}
restartPolicy: Never
securityContext:
  {{- toYaml $.Values.podSecurityContext | nindent 2 }}
{{- with include "secure-redis.imagePullSecrets" $ | trim }}
imagePullSecrets:
  {{- . | nindent 2 }}
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
      {{- toYaml $.Values.securityContext | nindent 6 }}
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
  {{- include "secure-redis.volumes" $ | nindent 2 }}
{{- with include "secure-redis.placement" $ | trim }}
{{ . }}
{{- end }}
{{- end -}}

{{- /* Whether an object of an API that the cluster may lack is rendered. A list of: root, the value's name, its dict, the API's version/kind. */ -}}
{{- define "secure-redis.renders" -}}
{{- $ := index . 0 }}{{ $name := index . 1 }}{{ $value := index . 2 }}{{ $api := index . 3 -}}
{{- if $value.enabled -}}
{{- if or (eq $value.renderMode "alwaysRender") ($.Capabilities.APIVersions.Has $api) -}}
yes
{{- else if eq $value.renderMode "failIfMissing" -}}
{{- fail (printf "%s.enabled: this cluster has no %s; install the Prometheus operator first, or set %s.renderMode to skipIfMissing; for helm template without a cluster set it to alwaysRender, or pass --api-versions" $name $api $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The monitoring objects that are enabled and left out, because the cluster does not serve their kind. */ -}}
{{- define "secure-redis.skipped" -}}
{{- $ := . }}
{{- range $name, $kind := dict "serviceMonitor" "ServiceMonitor" "podMonitor" "PodMonitor" "prometheusRule" "PrometheusRule" }}
{{- $value := get $.Values $name }}
{{- if and $value.enabled (not (include "secure-redis.renders" (list $ $name $value (printf "monitoring.coreos.com/v1/%s" $kind)))) }}
{{ $name }} (monitoring.coreos.com/v1/{{ $kind }})
{{- end }}
{{- end }}
{{- end -}}

{{- /* The listed namespaces that are being deleted, and have no RoleBinding of the chart's. */ -}}
{{- define "secure-redis.terminating" -}}
{{- $ := . }}
{{- $bindings := dict "-chart" (ternary list .Values.namespaces .Values.clusterWide) "-resources" ((include "secure-redis.config" . | fromYaml).namespaces | default list) }}
{{- range $suffix, $namespaces := $bindings }}
{{- range $namespaces }}
{{- if not (include "secure-redis.bindable" (list . (printf "%s%s" (include "secure-redis.fullname" $) $suffix))) }}
{{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* So that a policy is evaluated for the operator and for no one else. */ -}}
{{- define "secure-redis.onlyOperator" -}}
- name: only-the-operator
  expression: request.userInfo.username == '{{ include "secure-redis.username" . }}'
{{- end -}}

{{- /* CEL: two maps (a list of: new, old, the names that may differ as a CEL list) are the same except these. */ -}}
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
