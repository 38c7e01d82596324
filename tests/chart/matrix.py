"""Values that together move every switch of the chart: what is rendered for each is judged in the tests beside this."""

from typing import Any

from sandbox.chart.render import Document

MONITORING = tuple(f"monitoring.coreos.com/v1/{kind}" for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule"))
CLIENT = "00000000-0000-0000-0000-00000000c002"
SCOPE = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/shop"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
CUSTOM = {
    "resourceManager": "https://management.cloud.example",
    "resourceManagerScope": "https://management.cloud.example/.default",
    "authority": "https://login.cloud.example",
    "vaultSuffixes": ["vault.cloud.example"],
    "redisSuffixes": ["redis.cloud.example"],
}
GRANT = {
    "namespaces": ["shop", "team-*"],
    "powers": ["Observe", "PublishKey", "StoreKey", "Provision", "Correct", "Rotate", "Delete"],
    "caches": [SCOPE],
    "vaults": [{"uri": "https://shop.vault.azure.net", "secretNames": ["*-key"]}],
    "storageAccounts": [SCOPE],
    "locations": ["westeurope"],
    "largestSKU": {"name": "Premium", "capacity": 1},
}
MANAGED = {"operatorIdentity": {"type": "ManagedIdentity", "clientID": CLIENT}}
WORKLOAD_IDENTITY = {"operatorIdentity": {"type": "WorkloadIdentity", "clientID": CLIENT, "tenantID": CLIENT}}
MONITOR = {"enabled": True, "labels": {"release": "prometheus"}, "relabelings": [{"action": "labeldrop", "regex": "x"}]}
WATCHED = {"metrics": {"service": {"enabled": True}}, "serviceMonitor": MONITOR, "podMonitor": MONITOR}
SIDECAR = {"name": "sidecar", "image": "registry.example/sidecar:1", "resources": {"limits": {"memory": "32Mi"}}}
EXTRAS: dict[str, Any] = {
    "nameOverride": "redis-guard",
    "fullnameOverride": "guard",
    "commonLabels": {"team": "platform"},
    "deploymentLabels": {"tier": "operator"},
    "deploymentAnnotations": {"reloader": "no"},
    "podAnnotations": {"note": "x"},
    "podLabels": {"note": "x"},
    "imagePullSecrets": [{"name": "registry"}],
    "global": {"imagePullSecrets": ["parent", {"name": "registry"}]},
    "image": {"repository": "registry.example:5000/guard", "digest": "sha256:" + "a" * 64, "pullPolicy": "Always"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
    ],
    "priorityClassName": "system-cluster-critical",
    "schedulerName": "other",
    "runtimeClassName": "gvisor",
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["vault.cloud.example"]}],
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["10.0.0.10"], "searches": ["cluster.local"], "options": [{"name": "ndots"}]},
    "extraArgs": ["--context=other"],
    "extraEnv": [{"name": "A", "value": "b"}],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "extraContainers": [SIDECAR],
    "extraInitContainers": [
        {**SIDECAR, "name": "first", "restartPolicy": "Always", "securityContext": {"runAsUser": 1000}}
    ],
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more", "namespace": "guard"}},
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-text', namespace: guard}\n",
    ],
    "serviceAccount": {"name": "guard", "annotations": {"a": "b"}, "labels": {"c": "d"}},
    "strategy": {"type": "Recreate", "rollingUpdate": None},
    "podDisruptionBudget": {"maxUnavailable": "50%"},
    "revisionHistoryLimit": 0,
    "terminationGracePeriodSeconds": 90,
    "logLevel": "debug",
    "port": 9443,
    "podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": 2000},
    "securityContext": {"runAsNonRoot": True},
    "livenessProbe": {"initialDelaySeconds": 5},
    "readinessProbe": {"periodSeconds": 3},
    "startupProbe": {"enabled": True},
    "hostUsers": False,
    "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}},
}
MATRIX: dict[str, Document] = {
    "defaults": {},
    "namespaces": {"namespaces": ["shop", "blog"]},
    "cluster-wide": {"clusterWide": True, "workloads": {"enabled": True}},
    "watched-namespaces": {"watchNamespaces": ["shop", "blog"], "namespaces": ["shop"], "workloads": {"enabled": True}},
    "secrets-not-watched": {"secrets": {"watch": "None"}, "namespaces": ["shop"]},
    "workloads": {"workloads": {"enabled": True}, "namespaces": ["shop"]},
    "china": {"cloud": {"name": "AzureChina"}},
    "us-government": {"cloud": {"name": "AzureUSGovernment"}},
    "custom-cloud": {
        "cloud": {"name": "Custom", "custom": CUSTOM},
        "caBundle": {"configMap": "authority", "publish": True},
    },
    "ca-from-secret": {"caBundle": {"secret": "authority", "key": "tls.crt"}},
    "ca-inline": {"caBundle": {"pem": CERTIFICATE}},
    "managed-identity": {**MANAGED, "grants": [GRANT]},
    "workload-identity": {**WORKLOAD_IDENTITY, "grants": [GRANT], "caps": [GRANT]},
    "read-only": {"readOnly": True, "brakes": {"massDrift": {"share": 0.1, "atLeast": 5}, "release": "2026-11-24"}},
    "floor": {
        "compliance": {
            "minimumProfile": "Strict",
            "waivable": [{"rules": ["R1"], "namespaces": ["dev-*"], "maxDays": 90}],
        }
    },
    "operator-defaults": {"defaults": {"maximumMode": "Validate", "profile": "Strict", "intervalSeconds": 600}},
    "proxy": {"proxy": {"url": "http://proxy.example:3128", "noProxy": [".vault.example"]}},
    "proxy-from-secret": {"proxy": {"existingSecret": "proxy"}},
    "one-replica": {"replicaCount": 1},
    "no-replica": {"replicaCount": 0},
    "no-budget": {"podDisruptionBudget": {"enabled": False}},
    "no-network-policy": {"networkPolicy": {"enabled": False}},
    "narrow-network": {
        "networkPolicy": {
            "apiServer": {"ports": [6443], "cidrs": ["10.0.0.1/32"]},
            "dns": [],
            "azureCIDRs": ["20.0.0.0/8"],
            "redisCIDRs": ["10.1.0.0/16", "fd00::/8"],
            "redisPorts": [6380],
            "plaintextPortCheck": False,
            "ingressFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "extraEgress": [{"ports": [{"port": 4317, "protocol": "TCP"}]}],
        }
    },
    "no-policies": {"policies": {"enabled": False}},
    "default-service-account-unchecked": {"policies": {"defaultServiceAccount": "Skip"}},
    "no-rbac": {"rbac": {"create": False}, "serviceAccount": {"create": False, "name": "made-elsewhere"}},
    "no-aggregation": {"rbac": {"aggregateToView": False, "aggregateToServiceBinding": False}},
    "aggregated-to-all": {"rbac": {"aggregateToEdit": True, "aggregateToAdmin": True}},
    "crd-elsewhere": {"crds": {"enabled": False}},
    "crd-goes-too": {"crds": {"keep": False}},
    "monitored": {**WATCHED, "prometheusRule": {"enabled": True}, "grafanaDashboard": {"enabled": True}},
    "no-probes": {"livenessProbe": {"enabled": False}, "readinessProbe": None},
    "extras": EXTRAS,
    "everything": {
        **EXTRAS,
        **WORKLOAD_IDENTITY,
        **WATCHED,
        "grants": [GRANT],
        "clusterWide": True,
        "workloads": {"enabled": True},
        "cloud": {"name": "Custom", "custom": CUSTOM},
        "caBundle": {"secret": "authority", "publish": True},
        "proxy": {"url": "https://proxy.example"},
        "readOnly": True,
        "rbac": {"aggregateToEdit": True},
        "crds": {"keep": False},
    },
    "passed-through": {
        "config": {
            "intervals": {"probeSeconds": 600},
            "concurrency": {"passes": 4},
            "leaderElection": {"leaseDurationSeconds": 30},
            "activityLog": {"enabled": False},
        }
    },
}
