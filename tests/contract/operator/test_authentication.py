"""AUTH against a real redis-server with TLS, in each way that a server can require a key."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from sandbox.processes import Child
from sandbox.redis_tool import redis_tool
from sandbox.waiting import wait_for
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.keys import AuthenticationResult
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.probe.authentication import authenticate

KEY = "canary-key-3nUuYv5WqvX6hTg2m8BfRkAzCaLs0x9c="
SETTINGS = {
    "no password": "",
    "requirepass": f"requirepass {KEY}",
    "a user": f"user app on >{KEY} +@all\nuser default off",
}
Servers = dict[str, int]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("auth")


@pytest.fixture(scope="module")
def ca_file(home: Path) -> str:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(home / "ca.pem"))
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(str(home / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(home / "cert.pem"))
    return str(home / "ca.pem")


@pytest.fixture(scope="module")
def servers(home: Path, ca_file: str, unused_tcp_port_factory: pytest.FixtureRequest) -> Iterator[Servers]:
    """A server of each kind, with its TLS port. `busy`: it has no connection left."""
    tool = redis_tool()
    children: list[Child] = []
    ports: Servers = {}
    try:
        for number, (name, setting) in enumerate(SETTINGS.items()):
            port = ports[name] = unused_tcp_port_factory()  # type: ignore[operator]
            folder = home / str(number)
            folder.mkdir()
            (folder / "redis.conf").write_text(
                f'port 0\ntls-port {port}\nbind 127.0.0.1\ntls-auth-clients no\nsave ""\n'
                f"tls-cert-file {home}/cert.pem\ntls-key-file {home}/key.pem\n{setting}\n"
            )
            log = folder / "redis.log"
            children.append(
                Child(
                    [tool.program, "redis.conf"],
                    log,
                    name=f"redis-server ({name})",
                    env={**os.environ, **tool.environment},
                    cwd=folder,
                )
            )
            wait_for(lambda log=log: "Ready to accept connections" in log.read_text(), 30, name)  # type: ignore[misc]
        yield ports
    finally:
        for child in children:
            child.kill()


async def auth(port: int, ca_file: str, key: str, username: str | None = None) -> AuthenticationResult | Unknown:
    return await authenticate("localhost", port, SecretStr(key), username=username, ca_file=ca_file)


async def test_the_right_key(servers: Servers, ca_file: str) -> None:
    assert await auth(servers["requirepass"], ca_file, KEY) is AuthenticationResult.ACCEPTED
    assert await auth(servers["a user"], ca_file, KEY, "app") is AuthenticationResult.ACCEPTED


@pytest.mark.parametrize("wrong", ["canary-other", "", "x" * 10_000, KEY + "\n", KEY[:-1]])
async def test_a_wrong_key(servers: Servers, ca_file: str, wrong: str) -> None:
    assert await auth(servers["requirepass"], ca_file, wrong) is AuthenticationResult.REFUSED
    assert await auth(servers["a user"], ca_file, wrong, "app") is AuthenticationResult.REFUSED


async def test_a_user_that_is_off_or_that_there_is_none_of(servers: Servers, ca_file: str) -> None:
    assert await auth(servers["a user"], ca_file, KEY) is AuthenticationResult.REFUSED
    assert await auth(servers["a user"], ca_file, KEY, "nobody") is AuthenticationResult.REFUSED


async def test_a_server_that_requires_no_password_proves_nothing(servers: Servers, ca_file: str) -> None:
    outcome = await auth(servers["no password"], ca_file, KEY)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.AUTHENTICATION_DISABLED
