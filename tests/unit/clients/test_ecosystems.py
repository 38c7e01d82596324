"""A client is left out only where the machine has no toolchain or the registry refuses. Anything else fails."""

from pathlib import Path

import pytest

from tests.clients import ecosystems
from tests.clients.ecosystems import AbsentError, InstallError, RefusedError, failure, launcher
from tests.clients.endpoint import mounted
from tests.clients.matrix import Ecosystem

REFUSALS = (
    "ERROR: Could not find a version that satisfies …\nERROR: No matching distribution found for redis==99",
    "npm error code E404\nnpm error 404 Not Found - GET https://registry.test/ioredis",
    "npm error code E403\nnpm error 403 403 Forbidden",
    "[ERROR] … Could not find artifact redis.clients:jedis:jar:99 in central (https://maven.test/maven2)",
    "[ERROR] … Could not transfer artifact a:b:pom:1 from/to central: status code: 403, reason phrase: Forbidden (403)",
    "go: github.com/x/y@v9: reading https://proxy.test/github.com/x/y/@v/v9.mod: 404 Not Found",
    "go: github.com/x/y@v9: reading https://proxy.test/github.com/x/y/@v/v9.mod: 410 Gone",
)
OTHERS = (
    "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool: Read timed out.",
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE",
    "npm error code ETIMEDOUT",
    "npm error code EINTEGRITY",
    "[ERROR] … Could not transfer artifact a:b:pom:1 from/to central: Read timed out",
    "[ERROR] COMPILATION ERROR :",
    "go: github.com/x/y@v9: dial tcp: i/o timeout",
    "verifying github.com/x/y@v9: checksum mismatch",
)


@pytest.mark.parametrize("output", REFUSALS)
def test_a_refusal_of_the_registry_leaves_the_client_out(output: str) -> None:
    found = failure(output)
    assert isinstance(found, RefusedError)
    assert "https://" not in str(found)


@pytest.mark.parametrize("output", OTHERS)
def test_any_other_failure_is_a_failure(output: str) -> None:
    assert isinstance(failure(output), InstallError)


@pytest.mark.parametrize(
    ("ecosystem", "program"), [(Ecosystem.NODE, "node"), (Ecosystem.JAVA, "mvn"), (Ecosystem.SPRING, "mvn")]
)
def test_a_machine_without_the_toolchain_leaves_the_client_out(
    ecosystem: Ecosystem, program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(ecosystems, "_TRIED", {})
    for _ in range(2):
        with pytest.raises(AbsentError, match=f"no {program} on PATH"):
            launcher(ecosystem)


def test_the_directory_is_as_the_kubelet_mounts_it(tmp_path: Path) -> None:
    volume = mounted(tmp_path / "bindings", {"host": "orders.test", "ca.crt": "PEM"}) / "orders"
    assert {path.name for path in volume.iterdir() if not path.name.startswith("..")} == {"host", "ca.crt"}
    assert (volume / "host").read_text() == "orders.test"
    assert (volume / "host").readlink() == Path("..data/host")
    assert (volume / "..data").is_symlink()
