"""One list of refused names and paths: the CRD, the chart's policies and the code contain the same patterns."""

import re
from pathlib import Path

import pytest
import yaml

from secure_redis.api.refused_names import (
    ENV,
    ENV_PARTS,
    ENV_PATTERN,
    METADATA_DOMAINS,
    METADATA_PATTERN,
    MOUNT_PATTERN,
    MOUNT_POINTS,
    MOUNT_TREES,
    env_effect,
    metadata_effect,
    mount_effect,
    refuses_env,
    refuses_metadata,
    refuses_mount,
)

ROOT = Path(__file__).parents[3]
CRD = (ROOT / "crds/secureredis.io_securerediscaches.yaml").read_text(encoding="utf-8")
CHART = ROOT / "charts/secure-redis-operator"
POLICIES = {path.name: path.read_text(encoding="utf-8") for path in (CHART / "templates/policies").iterdir()}


def test_the_crd_contains_the_patterns() -> None:
    generated = re.findall(r"matches\('(.*)'\)[)]?\" # generated: (\S+)", CRD)
    expected = [(METADATA_PATTERN, "metadata")] * 2
    expected += [(ENV_PARTS[0], "env.1"), (ENV_PARTS[1], "env.2"), (MOUNT_PATTERN, "mount")]
    assert generated == expected


def test_the_chart_contains_the_patterns_and_its_policies_use_them() -> None:
    found = yaml.safe_load((CHART / "files/refused.yaml").read_text(encoding="utf-8"))
    assert found == {"env": ENV_PATTERN, "mount": MOUNT_PATTERN, "metadata": METADATA_PATTERN}
    assert "$refused.env" in POLICIES["workload-changes.yaml"]
    assert "$refused.mount" in POLICIES["workload-changes.yaml"]
    assert ").metadata }}" in POLICIES["secret-writes.yaml"]


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD",
        "PATH",
        "HTTP_PROXY",
        "http_proxy",
        "No_Proxy",
        "KUBERNETES_PORT_443_TCP",
        "PYTHONHOME",
        "COR_PROFILER",
    ],
)
def test_a_variable_that_redirects(name: str) -> None:
    assert refuses_env(name)
    assert env_effect(name)
    assert any(re.search(part, name, re.ASCII) for part in ENV_PARTS)


@pytest.mark.parametrize(
    "name", ["REDIS_URL", "CACHE_PATH", "PYTHON_URL", "MY_LD_PRELOAD", "REDIS_PROXY", "path", "URL"]
)
def test_a_usual_variable(name: str) -> None:
    assert not refuses_env(name)
    assert env_effect(name) is None
    assert not any(re.search(part, name, re.ASCII) for part in ENV_PARTS)


@pytest.mark.parametrize(
    "path", ["/", "/etc", "/bin", "/lib64/x", "/usr/local", "/var", "/run/secrets/a", "/etc/ssl/x"]
)
def test_a_path_that_hides(path: str) -> None:
    assert refuses_mount(path)
    assert mount_effect(path)


@pytest.mark.parametrize(
    "path", ["/etc/redis", "/bindings/orders", "/library", "/app/usr", "/home/app/redis", "/binary"]
)
def test_a_usual_path(path: str) -> None:
    assert not refuses_mount(path)
    assert mount_effect(path) is None


@pytest.mark.parametrize("name", ["a.kubernetes.io/x", "K8S.io/x", "replicator.v1.mittwald.de/x", "synator/sync"])
def test_metadata_that_acts(name: str) -> None:
    assert refuses_metadata(name)
    assert metadata_effect(name)


@pytest.mark.parametrize(
    "name", ["team", "synator", "mykubernetes.io/x", "example.com/synator", "reloader.stakater.com/x"]
)
def test_usual_metadata(name: str) -> None:
    assert not refuses_metadata(name)
    assert metadata_effect(name) is None


def test_every_row_has_an_effect_and_a_source() -> None:
    for row in (*ENV, *MOUNT_TREES, *MOUNT_POINTS, *METADATA_DOMAINS):
        assert row.effect
        assert row.source
        for pattern in row.patterns:
            re.compile(pattern)
