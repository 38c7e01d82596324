{{- /* The operator's configuration as one document: what single values say, and `config` for the rest. A value and `config` must not both say
something about one thing; a value that is left at its default says nothing. */ -}}
{{- define "secure-redis.config" -}}
{{- $values := .Values }}
{{- $said := dict }}
{{- if ne $values.cloud.name "AzurePublic" }}
{{- $_ := set $said "cloud" (dict "name" $values.cloud.name) }}
{{- with $values.cloud.custom }}{{ $_ := set $said.cloud "custom" . }}{{ end }}
{{- else if $values.cloud.custom }}
{{- fail "cloud.custom is for cloud.name Custom: set cloud.name to Custom, or remove cloud.custom" }}
{{- end }}
{{- if and (eq $values.cloud.name "Custom") (not $values.cloud.custom) }}
{{- fail "cloud.name is Custom: set cloud.custom to {resourceManager, resourceManagerScope, authority, vaultSuffixes, redisSuffixes}" }}
{{- end }}
{{- if and (ne $values.cloud.name "Custom") $values.cloud.custom }}
{{- fail (printf "cloud.custom is for cloud.name Custom, and it is %s: remove one of both" $values.cloud.name) }}
{{- end }}
{{- with $values.operatorIdentity }}{{ $_ := set $said "operatorIdentity" . }}{{ end }}
{{- with $values.grants }}{{ $_ := set $said "grants" . }}{{ end }}
{{- with $values.caps }}{{ $_ := set $said "caps" . }}{{ end }}
{{- with $values.watchNamespaces }}{{ $_ := set $said "namespaces" . }}{{ end }}
{{- with $values.compliance }}{{ $_ := set $said "compliance" . }}{{ end }}
{{- with $values.defaults }}{{ $_ := set $said "defaults" . }}{{ end }}
{{- $brakes := deepCopy $values.brakes }}
{{- if and $values.readOnly (hasKey $brakes "readOnly") (not $brakes.readOnly) }}
{{- fail "readOnly is true and brakes.readOnly is false: remove brakes.readOnly" }}
{{- end }}
{{- if $values.readOnly }}{{ $_ := set $brakes "readOnly" true }}{{ end }}
{{- with $brakes }}{{ $_ := set $said "brakes" . }}{{ end }}
{{- if ne (upper $values.logLevel) "INFO" }}{{ $_ := set $said "logging" (dict "level" (upper $values.logLevel)) }}{{ end }}
{{- $ca := $values.caBundle }}
{{- $sources := list }}
{{- range list "configMap" "secret" "pem" }}{{ if index $ca . }}{{ $sources = append $sources (printf "caBundle.%s" .) }}{{ end }}{{ end }}
{{- if gt (len $sources) 1 }}
{{- fail (printf "%s: set one of them and leave the others empty" (join " and " $sources)) }}
{{- end }}
{{- if $sources }}{{ $_ := set $said "caBundle" "/etc/secure-redis/ca.pem" }}{{ end }}
{{- if and $ca.publish (not $sources) (not $values.config.caBundle) }}
{{- fail "caBundle.publish is true and there is no bundle: set caBundle.configMap, caBundle.secret or caBundle.pem, or leave publish false" }}
{{- end }}
{{- if $ca.publish }}{{ $_ := set $said "publishCABundle" true }}{{ end }}
{{- $value := dict "namespaces" "watchNamespaces" "logging" "logLevel" "publishCABundle" "caBundle.publish" "brakes" "brakes (or readOnly)" }}
{{- range $key, $_ := $said }}
{{- if hasKey $values.config $key }}
{{- fail (printf "config.%s and the value %s are both set: remove config.%s" $key (get $value $key | default $key) $key) }}
{{- end }}
{{- end }}
{{- /* What the chart itself decides, because ports and roles follow it. */ -}}
{{- $decided := dict "health" (dict "address" "0.0.0.0" "port" $values.port) "secrets" (dict "watch" $values.secrets.watch) "workloads" (dict "enabled" $values.workloads.enabled) "compliance" (dict "foreignSecrets" $values.secrets.searchForeign) }}
{{- $config := merge (deepCopy $values.config) $said $decided }}
{{- if ne (int $config.health.port) (int $values.port) }}
{{- fail "config.health.port differs from port: set the value port only" }}
{{- end }}
{{- if ne $config.secrets.watch $values.secrets.watch }}
{{- fail "config.secrets.watch differs from secrets.watch: set the value secrets.watch only, because the roles follow it" }}
{{- end }}
{{- if ne $config.workloads.enabled $values.workloads.enabled }}
{{- fail "config.workloads.enabled differs from workloads.enabled: set the value workloads.enabled only, because the roles follow it" }}
{{- end }}
{{- if ne $config.compliance.foreignSecrets $values.secrets.searchForeign }}
{{- fail "compliance.foreignSecrets differs from secrets.searchForeign: set the value secrets.searchForeign only, because the roles follow it" }}
{{- end }}
{{- toYaml $config }}
{{- end -}}

{{- /* Mistakes that one value alone cannot show. */ -}}
{{- define "secure-redis.validate" -}}
{{- include "secure-redis.refuseForeign" . }}
{{- include "secure-redis.refuseCluster" . }}
{{- $values := .Values }}
{{- $config := include "secure-redis.config" . | fromYaml }}
{{- $identity := $config.operatorIdentity | default dict }}
{{- $watched := $config.namespaces | default list }}
{{- if and $config.grants (not $identity) }}
{{- fail "grants allow the use of the operator's own identity, and it has none: set operatorIdentity to {type: WorkloadIdentity, clientID: …} or {type: ManagedIdentity, clientID: …}, or remove grants" }}
{{- end }}
{{- if and $watched $values.clusterWide }}
{{- fail "clusterWide binds permissions in all namespaces, and watchNamespaces names some only: set clusterWide to false and list these namespaces in the value namespaces" }}
{{- end }}
{{- range $values.namespaces }}
{{- if and $watched (not (has . $watched)) }}
{{- fail (printf "namespaces lists %s, and watchNamespaces does not: add it there, or remove it here, because the operator would not use these permissions" .) }}
{{- end }}
{{- end }}
{{- if and (gt (int $values.replicaCount) 1) (eq (dig "leaderElection" "enabled" true $config) false) }}
{{- fail (printf "replicaCount is %d and config.leaderElection.enabled is false: two operators would work at the same time. Set replicaCount to 1, or remove config.leaderElection.enabled" (int $values.replicaCount)) }}
{{- end }}
{{- $drain := dig "intervals" "drainSeconds" 20 $config }}
{{- if le (int $values.terminationGracePeriodSeconds) (int $drain) }}
{{- fail (printf "terminationGracePeriodSeconds (%d) must be more than config.intervals.drainSeconds (%d): Kubernetes would kill running reconciles" (int $values.terminationGracePeriodSeconds) (int $drain)) }}
{{- end }}
{{- if and (not $values.serviceAccount.create) (not $values.serviceAccount.name) }}
{{- fail "serviceAccount.create is false: set serviceAccount.name to the one that exists" }}
{{- end }}
{{- if and $values.proxy.url $values.proxy.existingSecret }}
{{- fail "proxy.url and proxy.existingSecret: set one of them and leave the other empty" }}
{{- end }}
{{- if contains "@" $values.proxy.url }}
{{- fail "proxy.url contains a user or a password, and all users who may read the release could read it: put the URL into a Secret (key url) and set proxy.existingSecret" }}
{{- end }}
{{- if and $values.crds.enabled (not $values.crds.keep) (not $values.rbac.create) }}
{{- fail "crds.keep is false: an uninstallation then checks for resources first, and requires the chart's roles. Set rbac.create or crds.keep to true" }}
{{- end }}
{{- range $values.extraEnv }}
{{- if has .name (list "POD_NAME" "POD_NAMESPACE") }}
{{- fail (printf "extraEnv sets %s, which the chart sets: remove it" .name) }}
{{- end }}
{{- if and (has .name (list "HTTPS_PROXY" "NO_PROXY")) (or $values.proxy.url $values.proxy.existingSecret) }}
{{- fail (printf "extraEnv sets %s, which the value proxy sets: remove one of both" .name) }}
{{- end }}
{{- end }}
{{- $containers := list "operator" }}
{{- range concat $values.extraInitContainers $values.extraContainers }}
{{- if has .name $containers }}
{{- fail (printf "extraContainers or extraInitContainers has a second container %s: give it another name" .name) }}
{{- end }}
{{- $containers = append $containers .name }}
{{- end }}
{{- range $values.extraArgs }}
{{- if or (eq . "--config") (hasPrefix "--config=" .) }}
{{- fail "extraArgs sets --config, which the chart sets: write the configuration into the value config" }}
{{- end }}
{{- end }}
{{- $names := list "config" "tmp" "token" }}
{{- range $values.extraVolumes }}
{{- if has .name $names }}
{{- fail (printf "extraVolumes has a second volume %s: give it another name" .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- $paths := list "/etc/secure-redis" "/tmp" "/var/run/secrets/kubernetes.io/serviceaccount" }}
{{- range $values.extraVolumeMounts }}
{{- if not (has .name $names) }}
{{- fail (printf "extraVolumeMounts mounts %s, and there is no such volume: add it to extraVolumes" .name) }}
{{- end }}
{{- if has .mountPath $paths }}
{{- fail (printf "extraVolumeMounts mounts a second time at %s: use another path" .mountPath) }}
{{- end }}
{{- $paths = append $paths .mountPath }}
{{- end }}
{{- range $key, $_ := merge (dict) $values.commonLabels $values.podLabels $values.deploymentLabels }}
{{- if has $key (list "app.kubernetes.io/name" "app.kubernetes.io/instance") }}
{{- if and (hasKey $values.commonLabels $key) }}
{{- fail (printf "commonLabels sets %s, by which the Deployment finds its pods: set nameOverride, or remove it" $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
