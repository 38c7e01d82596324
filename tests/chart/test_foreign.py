"""Names that users of other charts type: the schema lets them pass, and a template says what to write."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from sandbox.chart.render import CHART, Document, Refused, render, text

FOREIGN: dict[str, dict[str, str]] = yaml.safe_load((CHART / "files/foreign.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: Document = yaml.safe_load((CHART / "values.yaml").read_text())
# Values that a user of cert-manager or External Secrets types from memory, and this chart's values of the same name.
FROM_MEMORY: Document = {
    "replicaCount": 1,
    "strategy": {"type": "RollingUpdate"},
    "global": {"imagePullSecrets": [{"name": "registry"}]},
    "imagePullSecrets": [{"name": "registry"}],
    "crds": {"enabled": True, "keep": True},
    "podDisruptionBudget": {"enabled": True, "maxUnavailable": 1},
    "serviceAccount": {"create": True, "name": "redis", "annotations": {}, "labels": {}},
    "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "extraArgs": [],
    "extraEnv": [],
    "extraVolumes": [],
    "extraVolumeMounts": [],
    "extraContainers": [],
    "extraInitContainers": [],
    "extraObjects": [],
    "livenessProbe": {"enabled": True, "initialDelaySeconds": 10, "periodSeconds": 10, "failureThreshold": 8},
    "serviceMonitor": {"enabled": True, "renderMode": "skipIfMissing", "interval": "30s", "scrapeTimeout": "25s"},
    "metrics": {"service": {"enabled": True, "annotations": {}}},
    "grafanaDashboard": {"enabled": True, "annotations": {}},
    "logLevel": "info",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [],
    "affinity": {},
    "topologySpreadConstraints": [],
    "priorityClassName": "",
    "deploymentAnnotations": {},
    "podAnnotations": {},
    "podLabels": {},
    "commonLabels": {},
    "hostAliases": [],
    "resources": {},
    "revisionHistoryLimit": 10,
    "nameOverride": "",
    "fullnameOverride": "",
}


def refusal(values: Document) -> str:
    with pytest.raises(Refused) as refused:
        render(values)
    return str(refused.value)


def test_values_from_memory_are_accepted() -> None:
    assert render(FROM_MEMORY)


def test_each_foreign_name_is_refused_with_what_to_write() -> None:
    values: Document = {}
    for path in FOREIGN:
        *above, name = path.split(".")
        at = values
        for part in above:
            at = at.setdefault(part, {})
        at[name] = "x"
    said = refusal(values).splitlines()
    for path, entry in FOREIGN.items():
        expected = entry.get("instead") or f"did you mean {entry['write']}? Write {entry['write']}: x"
        assert f"  {path}: {expected}" in said


def test_all_foreign_names_are_reported_at_once() -> None:
    said = refusal(
        {"replicas": 3, "updateStrategy": {"type": "Recreate"}, "installCRDs": True, "log": {"level": "info"}}
    )
    assert "replicas: did you mean replicaCount? Write replicaCount: 3" in said
    assert "updateStrategy: did you mean strategy?" in said
    assert "installCRDs: did you mean crds.enabled? Write crds.enabled: true" in said
    assert "log: write logLevel: info" in said


def test_a_foreign_name_without_a_value_is_ignored() -> None:
    assert render({"replicas": None})


def test_what_is_to_be_written_exists() -> None:
    for entry in FOREIGN.values():
        assert entry.keys() in ({"write"}, {"instead"})
        if "write" in entry:
            first, *rest = entry["write"].split(".")
            assert first in VALUES
            assert not rest or first in ("config", "podSecurityContext") or rest[0] in VALUES[first]


def admitted(schema: dict[str, Any], above: str = "") -> Iterator[str]:
    """The paths that a schema lets pass by pattern."""
    for pattern in schema.get("patternProperties", {}):
        names = re.fullmatch(r"\^\((.*)\)\$", pattern)
        assert names, pattern
        yield from (f"{above}{name}" for name in names[1].split("|"))
    for name, part in schema.get("properties", {}).items():
        for one in (part, *part.get("allOf", ())):
            reference = one.get("$ref", "").removeprefix("#/definitions/")
            yield from admitted(SCHEMA["definitions"][reference] if reference else one, f"{above}{name}.")


def test_the_schema_lets_exactly_these_names_pass() -> None:
    assert sorted(admitted(SCHEMA)) == sorted(path for path in FOREIGN if not path.startswith("global."))
    for path in FOREIGN:
        at: Any = VALUES
        for part in path.split("."):
            at = at.get(part, {})
        assert at == {}, f"{path} is a value of this chart"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("logLevel", "did you mean logLevel?"),
        ("storageClass", "see values.yaml"),
    ],
)
def test_unknown_globals_are_refused(name: str, hint: str) -> None:
    said = refusal({"global": {name: "x"}})
    assert f"global.{name}: this chart reads global.imagePullSecrets only" in said
    assert hint in said


def test_a_cluster_below_the_floor_gets_the_way_out() -> None:
    with pytest.raises(Refused) as refused:
        text(options=["--kube-version", "1.31.9"])
    assert "This cluster runs Kubernetes v1.31.9, and the chart requires >=1.34.0" in str(refused.value)
    assert "Upgrade the cluster" in str(refused.value)
    assert "set allowOlderKubernetes to true" in str(refused.value)
    assert text(options=["--kube-version", "1.34.0-gke.1"])


def test_an_older_cluster_can_be_allowed_as_far_as_it_was_measured() -> None:
    """Nothing is lost there: what is rendered is the same, with every policy."""
    older = text({"allowOlderKubernetes": True}, options=["--kube-version", "1.31.14"])
    assert older == text()
    with pytest.raises(Refused) as refused:
        text({"allowOlderKubernetes": True}, options=["--kube-version", "1.30.14"])
    assert "the chart requires >=1.31.0" in str(refused.value)
    assert "allowOlderKubernetes" not in str(refused.value)
