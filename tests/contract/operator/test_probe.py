"""The probe against a real redis-server with TLS, in a process that resolves the sandbox's names."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.ca import CertificateAuthority
from sandbox.names import HostsFile, wrap
from sandbox.redis_servers import RedisFleet
from sandbox.redis_settings import Reachability, RedisSettings

HOST = "orders.redis.sandbox.test"
PORT = 6380
ONE, TWO = "canary-one-3nUuYv5WqvX6hTg2m8BfRkAzCaLs0x9c=", "canary-two-3nUuYv5WqvX6hTg2m8BfRkAzCaLs0x9c="
PROBE = """
import asyncio, json, sys
from pydantic import SecretStr
from secure_redis.probe.authentication import authenticate
given = json.load(sys.stdin)
async def main():
    for key in given["keys"]:
        print(repr(await authenticate(given["host"], given["port"], SecretStr(key), ca_file=given["ca"], timeout=3)))
asyncio.run(main())
"""


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority.create_or_load(tmp_path / "ca")


@pytest.fixture
def hosts(tmp_path: Path) -> HostsFile:
    return HostsFile(tmp_path / "hosts")


@pytest.fixture
async def fleet(tmp_path: Path, authority: CertificateAuthority, hosts: HostsFile) -> AsyncIterator[RedisFleet]:
    servers = RedisFleet(tmp_path / "redis", authority, hosts)
    yield servers
    await servers.close()


async def probe(hosts: HostsFile, ca: str | None, *keys: str, host: str = HOST, port: int = PORT) -> list[str]:
    command = wrap([sys.executable, "-c", PROBE], hosts.path)
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    given = json.dumps({"host": host, "port": port, "keys": keys, "ca": ca}).encode()
    out, errors = await child.communicate(given)
    assert child.returncode == 0, errors.decode()
    assert "canary" not in (out + errors).decode()
    return out.decode().splitlines()


async def test_live_keys_are_accepted_and_others_refused(
    fleet: RedisFleet, hosts: HostsFile, authority: CertificateAuthority
) -> None:
    await fleet.start(HOST, RedisSettings(keys=(ONE, TWO)))
    ca = str(authority.ca_file)
    one, two, other = await probe(hosts, ca, ONE, TWO, "canary-other")
    assert "ACCEPTED" in one
    assert "ACCEPTED" in two
    assert "REFUSED" in other
    await fleet.update(HOST, RedisSettings(keys=(TWO,)))
    one, two = await probe(hosts, ca, ONE, TWO)
    assert "REFUSED" in one
    assert "ACCEPTED" in two


async def test_a_server_of_an_unknown_authority_gets_no_key(fleet: RedisFleet, hosts: HostsFile) -> None:
    await fleet.start(HOST, RedisSettings(keys=(ONE,)))
    (outcome,) = await probe(hosts, None, ONE)
    assert "certificate" in outcome


async def test_no_route_is_unknown(fleet: RedisFleet, hosts: HostsFile, authority: CertificateAuthority) -> None:
    await fleet.start(HOST, RedisSettings(keys=(ONE,), reachable=Reachability(public=False)))
    (outcome,) = await probe(hosts, str(authority.ca_file), ONE)
    assert "NO_ROUTE" in outcome
    (outcome,) = await probe(hosts, str(authority.ca_file), ONE, host="none.redis.sandbox.test")
    assert "NO_ROUTE" in outcome


async def test_the_non_tls_port_proves_nothing(
    fleet: RedisFleet, hosts: HostsFile, authority: CertificateAuthority
) -> None:
    await fleet.start(HOST, RedisSettings(keys=(ONE,), plaintext_port=True))
    (outcome,) = await probe(hosts, str(authority.ca_file), ONE, port=6379)
    assert "Unknown" in outcome
