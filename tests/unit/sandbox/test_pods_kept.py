"""The files that a pod's mount over /tmp must not hide from the programs in place of its image."""

import sys
from pathlib import Path

from sandbox.pods.images import Image, kept

PROGRAM = Image((sys.executable,), env={"SSL_CERT_FILE": "/tmp/world/azure/ca.pem"})  # noqa: S108


def test_nested_mounts_are_mounted_again(tmp_path: Path) -> None:
    authority = tmp_path / "azure" / "ca.pem"
    (authority.parent / "canaries").mkdir(parents=True)
    env = {"SSL_CERT_FILE": str(authority), "CANARY_DIRECTORY": str(authority.parent / "canaries")}
    assert kept(str(tmp_path), Image((sys.executable,), env=env)) == [str(authority.parent)], "once, not within itself"


def test_other_mounts_hide_nothing() -> None:
    assert kept("/etc/secure-redis", PROGRAM) == []
    assert kept("/bindings", PROGRAM) == []
