"""The versions that docs/support.md names are those of the code, the chart and the tests."""

import re
import tomllib

import pytest
import yaml

from sandbox.toolchain import DEFAULT_VERSION, FLOOR_VERSION, module_version
from secure_redis.azure.core import resource_manager
from secure_redis.azure.governance import activity_log, reads
from secure_redis.azure.keyvault import encryption_keys, secrets
from secure_redis.azure.managed_redis import versions
from secure_redis.azure.redis import client
from secure_redis.azure.storage import accounts
from tests.unit.docs.test_written import CHART, ROOT

TEXT = (ROOT / "docs/support.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| ([^|]+?) \| (.*) \|$", TEXT, re.MULTILINE))
NEWEST, OLDEST = versions.VERSIONS


def test_kubernetes_helm_and_python() -> None:
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    floor = annotations["secureredis.io/kubernetes"].removeprefix(">=").removesuffix(".0-0")
    assert ROWS["Kubernetes"].startswith(f"{floor} or newer")
    assert f"| {DEFAULT_VERSION} with" in ROWS["Kubernetes"]
    assert f" {FLOOR_VERSION} with" in ROWS["Kubernetes"]
    assert FLOOR_VERSION.startswith(f"{floor}.")
    assert ROWS["Helm"].endswith(f"| {module_version('helm', 'helm.sh/helm/v4')}")
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert ROWS["Python, outside the image"].startswith(f"{needed.removeprefix('>=')} or newer")


def test_the_image() -> None:
    (python,) = set(re.findall(r"_IMAGE=python:(\d\.\d+)-", (ROOT / "Dockerfile").read_text()))
    assert f"with Python {python} " in ROWS["Image"]
    (platforms,) = re.findall(r"platforms: (\S+)", (ROOT / ".github/workflows/release.yaml").read_text())
    assert set(platforms.split(",")) == {f"linux/{name}" for name in ("amd64", "arm64") if name in ROWS["Image"]}


@pytest.mark.parametrize(
    ("row", "version"),
    [
        ("Azure Cache for Redis (`Microsoft.Cache/redis`)", client.API_VERSION),
        (
            "Azure Managed Redis (`Microsoft.Cache/redisEnterprise`)",
            f"{NEWEST}. Where a region does not serve it: {OLDEST}",
        ),
        ("Key Vault secrets", secrets.API_VERSION),
        ("Key Vault (`Microsoft.KeyVault/vaults`)", encryption_keys.VAULT_API_VERSION),
        ("Storage accounts (`Microsoft.Storage/storageAccounts`)", accounts.API_VERSION),
        ("Resource groups and resources", resource_manager.RESOURCES_API_VERSION),
        ("Locks", reads.LOCKS_API_VERSION),
        ("Diagnostic settings", reads.DIAGNOSTICS_API_VERSION),
        ("Role assignments and definitions", reads.ROLES_API_VERSION),
        ("Activity log", activity_log.API_VERSION),
    ],
)
def test_api_versions_of_azure(row: str, version: str) -> None:
    assert ROWS[row] == version
