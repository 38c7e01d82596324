{{- /* Refuses names of other charts, all of them in one message, with what to write instead. values.schema.json lets exactly these names pass. */ -}}
{{- define "secure-redis.refuseForeign" -}}
{{- $values := .Values }}
{{- $found := list }}
{{- $foreign := .Files.Get "files/foreign.yaml" | fromYaml }}
{{- range $path, $entry := $foreign }}
{{- /* In a parent chart `global` belongs to all its charts; else only this chart reads it. */ -}}
{{- $at := $values }}{{ $there := or $.Chart.IsRoot (not (hasPrefix "global." $path)) }}
{{- range splitList "." $path }}
{{- $there = and $there (kindIs "map" $at) (hasKey $at .) }}
{{- if $there }}{{ $at = index $at . }}{{ end }}
{{- end }}
{{- if and $there (not (kindIs "invalid" $at)) }}
{{- if $entry.instead }}
{{- $found = append $found (printf "%s: %s" $path $entry.instead) }}
{{- else if or (kindIs "map" $at) (kindIs "slice" $at) (eq (toString $at) "") }}
{{- $found = append $found (printf "%s: did you mean %s?" $path $entry.write) }}
{{- else }}
{{- $found = append $found (printf "%s: did you mean %s? Write %s: %s" $path $entry.write $entry.write (toString $at)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Chart.IsRoot }}
{{- range $name, $_ := omit $values.global "imagePullSecrets" }}
{{- if not (hasKey $foreign (printf "global.%s" $name)) }}
{{- $hint := ternary (printf "did you mean %s?" $name) "see values.yaml for the values of this chart" (hasKey $values $name) }}
{{- $found = append $found (printf "global.%s: this chart reads global.imagePullSecrets only; %s" $name $hint) }}
{{- end }}
{{- end }}
{{- end }}
{{- if $found }}
{{- fail (printf "\n\nThese values are not this chart's. Change them and run Helm again:\n  %s\n" (join "\n  " $found)) }}
{{- end }}
{{- end -}}

{{- /* Refuses a cluster that cannot run what the chart installs. Helm's own check of Chart.yaml (kubeVersion) names no way out. */ -}}
{{- define "secure-redis.refuseCluster" -}}
{{- $measured := index .Chart.Annotations "secureredis.io/kubernetes-measured" }}
{{- $floor := ternary $measured (index .Chart.Annotations "secureredis.io/kubernetes") .Values.allowOlderKubernetes }}
{{- $version := .Capabilities.KubeVersion.Version }}
{{- $way := ternary "" (printf " If you cannot upgrade, and the cluster is %s, set allowOlderKubernetes to true (docs/support.md)." (trimSuffix "-0" $measured)) .Values.allowOlderKubernetes }}
{{- if not (semverCompare $floor $version) }}
{{- fail (printf "\n\nThis cluster runs Kubernetes %s, and the chart requires %s: its admission policies and its CRD are tested from there on. Upgrade the cluster (on AKS, `az aks get-upgrades` lists the versions), then run Helm again.%s If you render without a cluster, pass its version: helm template --kube-version.\n" $version (trimSuffix "-0" $floor) $way) }}
{{- end }}
{{- /* Only for a user who creates cluster-wide objects anyway: others may not be allowed to read these. Without a cluster, lookup finds nothing. */ -}}
{{- if .Values.rbac.create }}
{{- $namespace := lookup "v1" "Namespace" "" .Release.Namespace }}
{{- if and .Release.IsInstall (eq (dig "status" "phase" "" $namespace) "Terminating") }}
{{- fail (printf "\n\nThe namespace %s is being deleted, and nothing can be created in it. Wait until it is gone (kubectl wait --for=delete namespace/%s --timeout=5m), then run Helm again with --create-namespace.\n" .Release.Namespace .Release.Namespace) }}
{{- end }}
{{- /* kube-system is in every cluster: if it is not found, there is no cluster to ask. The release may create the others itself. */ -}}
{{- if and (lookup "v1" "Namespace" "" "kube-system") (not (regexMatch "kind: *Namespace\\b" (toYaml .Values.extraObjects))) }}
{{- $absent := list }}
{{- range without (concat (ternary list .Values.namespaces .Values.clusterWide) .Values.watchNamespaces | uniq) .Release.Namespace }}
{{- if not (lookup "v1" "Namespace" "" .) }}{{ $absent = append $absent . }}{{ end }}
{{- end }}
{{- with $absent }}
{{- fail (printf "\n\nThe values namespaces or watchNamespaces list namespaces that this cluster does not have: %s. Create them (kubectl create namespace %s), or remove them from the values, then run Helm again.\n" (join ", " .) (first .)) }}
{{- end }}
{{- end }}
{{- if not .Values.crds.enabled }}
{{- $there := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "securerediscaches.secureredis.io" }}
{{- $ours := .Files.Get "files/secureredis.io_securerediscaches.yaml" | fromYaml }}
{{- if $there }}
{{- $missing := list }}
{{- range $version := $ours.spec.versions }}
{{- $schema := dict }}
{{- range $there.spec.versions }}{{ if eq .name $version.name }}{{ $schema = .schema.openAPIV3Schema }}{{ end }}{{ end }}
{{- $missing = concat $missing (include "secure-redis.missingFields" (list $version.schema.openAPIV3Schema $schema "") | trim | splitList "\n" | compact) }}
{{- end }}
{{- if $missing }}
{{- fail (printf "\n\nThe CRD in this cluster is older than this chart (crds.enabled is false). It does not know %d fields: %s%s. Apply the CRD of this chart's version first (kubectl apply --server-side -f crds/), or set crds.enabled to true.\n" (len $missing) (join ", " (slice $missing 0 (min 5 (len $missing) | int))) (ternary ", …" "" (gt (len $missing) 5))) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The fields of a schema that another one lacks, one a line. A list of: the schema, the other one, the path of both. */ -}}
{{- define "secure-redis.missingFields" -}}
{{- $ours := index . 0 }}{{ $theirs := index . 1 }}{{ $path := index . 2 }}
{{- range $name, $part := $ours.properties }}
{{- $other := get ($theirs.properties | default dict) $name }}
{{- if $other }}
{{- include "secure-redis.missingFields" (list $part $other (printf "%s.%s" $path $name)) }}
{{- else }}
{{- printf "%s.%s\n" $path $name | trimPrefix "." }}
{{- end }}
{{- end }}
{{- if kindIs "map" $ours.items }}
{{- include "secure-redis.missingFields" (list $ours.items ($theirs.items | default dict) (printf "%s[]" $path)) }}
{{- end }}
{{- end -}}
