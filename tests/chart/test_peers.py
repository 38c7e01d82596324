"""Each value of the charts of cert-manager and External Secrets has an effect here, or is refused with an answer."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.chart.render import Document, Refused, text

PEERS = Path(__file__).with_name("peers.yaml")
PROFILE = {"type": "RuntimeDefault"}
CONTAINER = {"name": "more", "image": "registry.example/more:1"}
RULE = {"action": "labeldrop", "regex": "x"}
MONITOR = {"enabled": True, "renderMode": "alwaysRender"}
# Values from the other charts' documentation for names that this chart has too. Each changes what is rendered.
ACCEPTED: dict[str, Any] = {
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "commonLabels": {"team": "platform"},
    "config": {"concurrency": {"passes": 4}},
    "crds": {"enabled": False},
    "crds.enabled": False,
    "crds.keep": False,
    "deploymentAnnotations": {"a": "b"},
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "dnsPolicy": "ClusterFirst",
    "enableServiceLinks": True,
    "extraArgs": ["--context=other"],
    "extraContainers": [CONTAINER],
    "extraEnv": [{"name": "A", "value": "b"}],
    "extraInitContainers": [CONTAINER],
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}}],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "tmp", "mountPath": "/more"}],
    "fullnameOverride": "redis",
    "global": {"imagePullSecrets": [{"name": "registry"}]},
    "global.imagePullSecrets": [{"name": "registry"}],
    "grafanaDashboard": {"enabled": True},
    "grafanaDashboard.annotations": {"grafana_folder": "Redis"},
    "grafanaDashboard.enabled": True,
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a.example"]}],
    "hostUsers": False,
    "image": {"pullPolicy": "Always"},
    "image.digest": "sha256:" + "a" * 64,
    "image.pullPolicy": "Always",
    "image.repository": "registry.example.com/secure-redis-operator",
    "image.tag": "1.2.3",
    "imagePullSecrets": [{"name": "registry"}],
    "livenessProbe": {"enabled": False},
    "livenessProbe.enabled": False,
    "livenessProbe.failureThreshold": 8,
    "livenessProbe.initialDelaySeconds": 10,
    "livenessProbe.periodSeconds": 15,
    "livenessProbe.successThreshold": 1,
    "livenessProbe.timeoutSeconds": 15,
    "metrics": {"service": {"enabled": True}},
    "metrics.service": {"enabled": True},
    "metrics.service.annotations": {"a": "b"},
    "metrics.service.enabled": True,
    "nameOverride": "redis",
    "networkPolicy": {"enabled": False},
    "networkPolicy.enabled": False,
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "podAnnotations": {"a": "b"},
    "podDisruptionBudget": {"enabled": False},
    "podDisruptionBudget.enabled": False,
    "podDisruptionBudget.maxUnavailable": "50%",
    "podLabels": {"a": "b"},
    "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": PROFILE, "fsGroup": 1001},
    "priorityClassName": "system-cluster-critical",
    "rbac": {"create": False},
    "rbac.aggregateToAdmin": True,
    "rbac.aggregateToEdit": True,
    "rbac.aggregateToView": False,
    "rbac.create": False,
    "readinessProbe": {"enabled": False},
    "readinessProbe.enabled": False,
    "replicaCount": 3,
    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    "revisionHistoryLimit": 10,
    "runtimeClassName": "gvisor",
    "schedulerName": "other",
    "securityContext": {"runAsNonRoot": True, "seccompProfile": PROFILE},
    "securityContext.runAsNonRoot": True,
    "securityContext.runAsUser": 1000,
    "securityContext.seccompProfile": PROFILE,
    "serviceAccount": {"name": "redis"},
    "serviceAccount.annotations": {"a": "b"},
    "serviceAccount.create": False,
    "serviceAccount.labels": {"a": "b"},
    "serviceAccount.name": "redis",
    "serviceMonitor": MONITOR,
    "serviceMonitor.enabled": True,
    "serviceMonitor.interval": "60s",
    "serviceMonitor.metricRelabelings": [RULE],
    "serviceMonitor.relabelings": [RULE],
    "serviceMonitor.renderMode": "alwaysRender",
    "serviceMonitor.scrapeTimeout": "25s",
    "strategy": {"type": "Recreate", "rollingUpdate": None},
    "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}],
}
# The only value that can be set here: the default, since no other is safe, or the name is only for parent charts.
ONLY_DEFAULT: dict[str, Any] = {
    "enabled": True,
    "securityContext.allowPrivilegeEscalation": False,
    "securityContext.capabilities": {"drop": ["ALL"]},
    "securityContext.readOnlyRootFilesystem": True,
}
# Other values that are needed so that a name below them has an effect.
ENABLED: Document = {
    "grafanaDashboard.annotations": {"grafanaDashboard": {"enabled": True}},
    "metrics.service.annotations": {"metrics": {"service": {"enabled": True}}},
    "serviceAccount.create": {"serviceAccount": {"name": "redis"}},
    **{f"serviceMonitor.{name}": {"serviceMonitor": MONITOR} for name in ("interval", "scrapeTimeout")},
    **{f"serviceMonitor.{name}": {"serviceMonitor": MONITOR} for name in ("relabelings", "metricRelabelings")},
    "serviceMonitor.enabled": {"serviceMonitor": {"renderMode": "alwaysRender"}},
    "serviceMonitor.renderMode": {"serviceMonitor": {"enabled": True}},
}
NAMES = {name for names in yaml.safe_load(PEERS.read_text()).values() for name in names}


def merged(base: Document, path: str, value: Any) -> Document:
    first, _, rest = path.partition(".")
    return {**base, first: merged(base.get(first, {}), rest, value) if rest else value}


@functools.cache
def printed(values: str) -> str:
    return text(json.loads(values))


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_the_same_name_has_an_effect(name: str) -> None:
    enabled = ENABLED.get(name, {})
    assert printed(json.dumps(merged(enabled, name, ACCEPTED[name]))) != printed(json.dumps(enabled))


def test_the_only_safe_value_may_be_written() -> None:
    values: Document = {}
    for name, value in ONLY_DEFAULT.items():
        values = merged(values, name, value)
    assert text(values) == text()


def test_every_other_name_is_answered_with_what_to_write() -> None:
    refused_names = NAMES - ACCEPTED.keys() - ONLY_DEFAULT.keys()
    values: Document = {}
    for name in refused_names:
        values = merged(values, name, "x")
    with pytest.raises(Refused) as refused:
        text(values)
    answers = dict(line.strip().split(": ", 1) for line in str(refused.value).splitlines() if line.startswith("  "))
    assert answers.keys() == refused_names
    ways = ("did you mean", "write ", "remove it")
    assert {name: answer for name, answer in answers.items() if not any(way in answer for way in ways)} == {}


def test_every_sample_is_of_a_name() -> None:
    assert {*ACCEPTED, *ONLY_DEFAULT} - NAMES == set()
    assert ENABLED.keys() <= ACCEPTED.keys()
