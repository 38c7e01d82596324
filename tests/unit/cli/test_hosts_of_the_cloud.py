"""Keys and probes go only to Redis hosts of the configured cloud. Other hosts receive no connection at all."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from pydantic import SecretStr

from secure_redis.azure.core.clouds import PUBLIC, Cloud
from secure_redis.cli.compose import probe_at, prove_at
from secure_redis.domain.observe.probe_target import Endpoint
from secure_redis.domain.observe.unknown import Unknown

LOOPBACK = "127.0.0.1"
ELSEWHERE = PUBLIC
# Loopback is one label below this suffix, so the same listener is a Redis host of this cloud.
HERE = replace(PUBLIC, redis_suffixes=("0.0.1",))


async def prove(cloud: Cloud, port: int) -> object:
    return await prove_at(cloud, None)(LOOPBACK, port, SecretStr("a key"))


async def probe(cloud: Cloud, port: int) -> object:
    found = await probe_at(cloud, None, 10.0)(Endpoint(LOOPBACK, port, port))
    assert isinstance(found.reached, Unknown) or cloud is HERE
    return found


@pytest.mark.parametrize("attempt", [prove, probe])
@pytest.mark.parametrize(("cloud", "connects"), [(ELSEWHERE, False), (HERE, True)], ids=["elsewhere", "here"])
async def test_only_hosts_of_the_cloud_receive_a_connection(
    attempt: Callable[[Cloud, int], Awaitable[object]], cloud: Cloud, connects: bool
) -> None:
    accepted = 0

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        writer.close()

    server = await asyncio.start_server(close, LOOPBACK, 0)
    async with server:
        found = await attempt(cloud, server.sockets[0].getsockname()[1])
    assert (accepted > 0) is connects
    assert ("is no Redis host of the cloud AzurePublic" in str(found)) is not connects
