"""Attempts on the operator's clients of Azure: answers and lists that are too large, or that never end.

Each ends in a classified failure that says what to do, with bounded memory, and the next good answer is read again.
F numbers are those of the security review; the others are attempts of the same kinds.
"""

import asyncio
import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
import trustme

from secure_redis.azure.core.bounded_answer import LARGEST, LARGEST_OF_RESOURCE_MANAGER
from secure_redis.azure.core.lists import MOST_PAGES
from secure_redis.azure.core.transport import Timeouts
from secure_redis.azure.governance.activity_log import Activity
from secure_redis.domain.observe.keys import Slot, VaultSecretFacts
from tests.abuse.hostile import (
    CACHE,
    IDENTITY,
    MIB,
    Answer,
    Azure,
    Hostile,
    Service,
    answer,
    bomb,
    dripping,
    endless,
)
from tests.abuse.reads import (
    GOOD,
    KEY,
    PLACE,
    READS,
    list_caches,
    list_locks,
    read_secret,
    recovers,
    why,
)

LARGE: dict[str, Callable[[list[int]], Answer]] = {
    "F18 an endless answer": lambda sent: endless(b" " * 65536, sent=sent),
    "F18 an endless error": lambda sent: endless(b" " * 65536, status=400, sent=sent),
    "F18 an endless string": lambda sent: endless(b"x" * 65536, start=b'{"value": "', sent=sent),
    "F18 an endless 401": lambda sent: endless(b" " * 65536, status=401, sent=sent),
    "a gzip bomb of 64 MiB": lambda _: bomb(64 * MIB),
    "a deflate bomb of 64 MiB": lambda _: bomb(64 * MIB, "deflate"),
    "a gzip bomb of brackets": lambda _: bomb(64 * MIB, byte=b"["),
}


@pytest.mark.parametrize("size", LARGE)
async def test_a_large_answer_is_cut_off(hostile: Hostile, authority: trustme.CA, size: str) -> None:
    for name in ("cache", "locks", "secret", "token"):
        service, read = READS[name]
        sent: list[int] = []
        hostile.forget()
        hostile.on(service, "", LARGE[size](sent))
        async with hostile.azure(authority) as azure:
            message = why(await read(azure, hostile))
            assert "was not read to its end" in message
            assert "proxy" in message  # what to check
            assert sum(sent) < LARGEST_OF_RESOURCE_MANAGER + 16 * MIB  # and what fits into buffers
            await recovers(azure, hostile, read)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_takes_no_memory(azure: Azure, hostile: Hostile, encoding: Literal["gzip", "deflate"]) -> None:
    hostile.on("arm", PLACE, bomb(128 * MIB, encoding))
    tracemalloc.start()
    try:
        why(await list_caches(azure, hostile))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * LARGEST_OF_RESOURCE_MANAGER


STRUCTURES = {
    "8 MB of empty lists": b"[" + b"[]," * (2 * MIB) + b"[]]",
    "8 MB of empty objects": b'{"value":[' + b"{}," * (2 * MIB) + b"{}]}",
    "a million numbers": b"[" + b"0," * 1_000_000 + b"0]",
}


@pytest.mark.parametrize("name", STRUCTURES)
async def test_an_answer_of_very_many_members_is_not_parsed(azure: Azure, hostile: Hostile, name: str) -> None:
    hostile.on("arm", PLACE, answer(200, STRUCTURES[name]))
    assert "members" in why(await list_locks(azure, hostile))
    await recovers(azure, hostile, list_locks)


async def test_a_list_as_large_as_azure_gives_is_read(azure: Azure, hostile: Hostile) -> None:
    tags = {f"tag{number}": "x" * 200 for number in range(15)}
    caches = [{**GOOD, "id": f"{CACHE.text}{number}", "tags": tags} for number in range(1500)]
    body = json.dumps({"value": caches}).encode()
    assert 5 * MIB < len(body) < LARGEST_OF_RESOURCE_MANAGER
    hostile.on("arm", PLACE, answer(200, body))
    outcome = await list_caches(azure, hostile)
    assert isinstance(outcome, tuple)
    assert len(outcome) == 1500


async def test_the_loop_runs_on_while_a_large_answer_is_read(azure: Azure, hostile: Hostile) -> None:
    sent: list[int] = []
    hostile.on("arm", PLACE, endless(b" " * 65536, sent=sent))
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(another())
    why(await list_caches(azure, hostile))
    task.cancel()
    assert turns > LARGEST_OF_RESOURCE_MANAGER / (256 * 1024)  # at least once for each piece


async def test_f24_a_byte_at_a_time_ends(hostile: Hostile, authority: trustme.CA) -> None:
    for name in ("cache", "secret", "token"):
        service, read = READS[name]
        hostile.forget()
        hostile.on(service, "", dripping(b" " * 10_000, 0.01))
        async with hostile.azure(authority, Timeouts(total=0.5)) as azure:
            assert "did not answer in time" in why(await read(azure, hostile))


def pages(hostile: Hostile, service: Service, items: list[Any]) -> Answer:
    """Give a list whose every page names another one."""
    numbers = iter(range(10**9))

    async def write(request: Any, writer: Any) -> None:
        host = hostile.vault if service == "vault" else hostile.cloud.resource_manager
        link = f"{host}{request.path.partition('?')[0]}?page={next(numbers)}"
        await answer(200, {"value": items, "nextLink": link})(request, writer)

    return write


@pytest.mark.parametrize("name", ["caches", "firewall rules", "locks"])
async def test_f23_a_list_that_never_ends(azure: Azure, hostile: Hostile, name: str) -> None:
    rule = {"name": "a", "properties": {"startIP": "10.0.0.1", "endIP": "10.0.0.1"}}
    lock = {"name": "a", "id": f"{CACHE.text}/providers/Microsoft.Authorization/locks/a", "properties": {"level": "x"}}
    item = {"caches": GOOD, "firewall rules": rule, "locks": lock}[name]
    hostile.on("arm", PLACE, pages(hostile, "arm", [item]))
    assert f"more than {MOST_PAGES} pages" in why(await READS[name][1](azure, hostile))
    assert hostile.count("arm") == MOST_PAGES
    await recovers(azure, hostile, READS[name][1])


async def test_f20_versions_that_never_end_are_left_to_a_plain_read(azure: Azure, hostile: Hostile) -> None:
    secret = hostile.secret(KEY)
    hostile.on("vault", "/secrets/orders", hostile.authorized(answer(200, secret)))
    hostile.on("vault", "versions", hostile.authorized(pages(hostile, "vault", [secret])))
    await read_secret(azure, hostile)  # the first read lists no versions
    outcome = await read_secret(azure, hostile)
    assert isinstance(outcome, VaultSecretFacts)
    assert outcome.version == "a" * 32
    listed = hostile.count("vault", "versions")
    assert listed <= 22
    assert isinstance(await read_secret(azure, hostile), VaultSecretFacts)
    assert hostile.count("vault", "versions") == listed  # not at every check


@pytest.mark.parametrize("name", ["caches", "firewall rules", "locks"])
async def test_a_list_that_leads_back_is_not_taken_as_whole(azure: Azure, hostile: Hostile, name: str) -> None:
    link = f"{hostile.cloud.resource_manager}/subscriptions/again"
    hostile.on("arm", PLACE, answer(200, {"value": [], "nextLink": link}))
    assert "leads back" in why(await READS[name][1](azure, hostile))


LINKS: dict[str, Any] = {
    "F07 a foreign host": "https://evil.example/next",
    "F07 a sibling": "https://arm.azure.test.evil.example/next",
    "a number": 5,
    "true": True,
    "an object": {},
    "no URL": "next page",
    "half an address": "https://[::1",
    "a port that is none": "https://arm.azure.test:99999/next",
    "a scheme of files": "file:///etc/passwd",
    "a link of 1 MB": "https://arm.azure.test/" + "x" * 1_000_000,
    "a lone surrogate": "https://arm.azure.test/\ud800",
    "a line feed": "https://arm.azure.test/\r\nHost: evil.example",
}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("name", ["caches", "firewall rules", "locks"])
async def test_an_odd_next_link_fails_the_list(azure: Azure, hostile: Hostile, name: str, link: str) -> None:
    hostile.on("arm", PLACE, answer(200, {"value": [], "nextLink": LINKS[link]}))
    why(await READS[name][1](azure, hostile))
    assert hostile.count("arm") == 1
    await recovers(azure, hostile, READS[name][1])


async def test_the_activity_log_of_many_large_events(azure: Azure, hostile: Hostile) -> None:
    """The pages themselves are not kept: sixteen of a megabyte leave little."""
    event = {"operationName": {"value": "Microsoft.Cache/redis/listKeys/action"}, "claims": {"x": "y" * 1000}}
    numbers = iter(range(15))

    async def write(request: Any, writer: Any) -> None:
        following = next(numbers, None)
        link = None if following is None else f"{hostile.cloud.resource_manager}/subscriptions/page{following}"
        await answer(200, {"value": [event] * 800, "nextLink": link})(request, writer)

    hostile.on("arm", PLACE, write)
    tracemalloc.start()
    outcome = await Activity(azure.resource_manager, None).changes(IDENTITY, CACHE, datetime.now(UTC))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert outcome == ()
    assert hostile.count("arm") == 16
    assert peak < 10 * MIB  # all of them have 14 MB


async def test_a_write_whose_answer_is_too_large_is_in_doubt(azure: Azure, hostile: Hostile) -> None:
    """Whether the write took effect is not known: the rotation must not take it as refused."""
    hostile.on("arm", PLACE, endless(b" " * 65536))
    patched = await azure.caches.update(IDENTITY, CACHE, {"properties": {}})
    assert patched is not None
    assert patched.maybe_done
    hostile.on("arm", "regeneratekey", endless(b" " * 65536))
    regenerated = await azure.caches.regenerate_key(IDENTITY, CACHE, Slot.PRIMARY)
    assert regenerated is not None
    assert regenerated.maybe_done


async def test_a_fence_is_passed_on_as_it_is(hostile: Hostile, authority: trustme.CA) -> None:
    """An exception of the fence is no answer of Azure: it must end the process's writes, not become a condition."""

    class LeadershipLost(Exception):
        pass

    def fence() -> None:
        raise LeadershipLost

    async with hostile.azure(authority) as azure:
        azure.transport._fence = fence
        with pytest.raises(LeadershipLost):
            await azure.caches.update(IDENTITY, CACHE, {"properties": {}})
    assert hostile.count("arm") == 0


async def test_the_limits_are_those_of_the_services(azure: Azure, hostile: Hostile) -> None:
    """A vault's answer of 2 MB is refused, one of Resource Manager is read."""
    padding = b" " * (2 * LARGEST)
    hostile.on("vault", "", hostile.authorized(answer(200, json.dumps({"value": []}).encode() + padding)))
    assert "was not read" in why(await read_secret(azure, hostile))
    hostile.on("arm", PLACE, answer(200, json.dumps({"value": []}).encode() + padding))
    assert await list_locks(azure, hostile) == ()
