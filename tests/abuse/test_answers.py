"""Attempts on the operator's clients of Azure: answers that no real service gives.

Each ends in a classified failure that says what to do, with bounded memory, and the next good answer is read again.
F numbers are those of the security review; the others are attempts of the same kinds.
"""

import asyncio
import base64
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.bounded_answer import LARGEST, LARGEST_OF_RESOURCE_MANAGER
from secure_redis.azure.core.failures import Denied, Failure, Transient, unknown
from secure_redis.azure.core.lists import MOST_PAGES
from secure_redis.azure.core.rate_limits import retry_after
from secure_redis.azure.core.transport import Timeouts
from secure_redis.azure.governance.activity_log import Activity
from secure_redis.azure.governance.reads import Governance
from secure_redis.domain.observe.keys import Slot, VaultSecretFacts
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.telemetry import live_values
from tests.abuse.hostile import (
    CACHE,
    IDENTITY,
    MIB,
    SUBSCRIPTION,
    TENANT,
    Answer,
    Azure,
    Hostile,
    Service,
    answer,
    bomb,
    dripping,
    echo,
    endless,
    error,
    raw,
)

PLACE = "subscriptions"


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def hostile(authority: trustme.CA) -> AsyncIterator[Hostile]:
    server = await Hostile.start(authority)
    yield server
    await server.stop()


@pytest.fixture
async def azure(hostile: Hostile, authority: trustme.CA) -> AsyncIterator[Azure]:
    async with hostile.azure(authority) as clients:
        yield clients


GOOD = {
    "id": CACHE.text,
    "name": "orders",
    "location": "westeurope",
    "properties": {
        "provisioningState": "Succeeded",
        "sku": {"name": "Premium", "family": "P", "capacity": 1},
        "hostName": "orders.redis.azure.test",
        "sslPort": 6380,
    },
}
KEY = "q7p3nUuYv5WqvX6hTg2m8BfRkAzCaLs0x9cq7p3nUuYv="


async def read_cache(azure: Azure, hostile: Hostile) -> object:
    return await azure.caches.read(IDENTITY, CACHE)


async def list_caches(azure: Azure, hostile: Hostile) -> object:
    return await azure.caches.walk(IDENTITY, SUBSCRIPTION)


async def list_keys(azure: Azure, hostile: Hostile) -> object:
    return await azure.caches.list_keys(IDENTITY, CACHE)


async def list_rules(azure: Azure, hostile: Hostile) -> object:
    return await azure.caches.firewall_rules(IDENTITY, CACHE)


async def list_locks(azure: Azure, hostile: Hostile) -> object:
    return await Governance(azure.resource_manager).locks(IDENTITY, CACHE)


async def read_secret(azure: Azure, hostile: Hostile) -> object:
    return await azure.vaults.current(IDENTITY, hostile.vault, "orders", max_age=0)


READS: dict[str, tuple[Service, Callable[[Azure, Hostile], Awaitable[object]]]] = {
    "cache": ("arm", read_cache),
    "caches": ("arm", list_caches),
    "keys": ("arm", list_keys),
    "firewall rules": ("arm", list_rules),
    "locks": ("arm", list_locks),
    "secret": ("vault", read_secret),
    "token": ("entra", read_cache),
}


def why(outcome: object) -> str:
    """The message of a read that failed, which is never a fault of the operator."""
    found = unknown(outcome) if isinstance(outcome, Failure) else outcome
    assert isinstance(found, Unknown), found
    assert found.reason is not Reason.INTERNAL_ERROR, found.message
    assert len(found.message) < 1200
    return found.message


async def recovers(azure: Azure, hostile: Hostile, read: Callable[[Azure, Hostile], Awaitable[object]]) -> None:
    """The next good answer is read: nothing of the attempt stays."""
    hostile.forget()
    hostile.on("arm", PLACE, answer(200, GOOD))
    hostile.on("arm", "listkeys", answer(200, {"primaryKey": KEY, "secondaryKey": KEY}))
    for path in ("firewallrules", "locks", "microsoft.cache/redis?"):
        hostile.on("arm", path, answer(200, {"value": [] if path[0] != "m" else [GOOD]}))
    secret = hostile.secret(KEY)
    hostile.on("vault", "/secrets/orders", hostile.authorized(answer(200, secret)))
    hostile.on("vault", "versions", hostile.authorized(answer(200, {"value": [secret], "nextLink": None})))
    azure.credentials.forget(IDENTITY)
    azure.credentials._clock = lambda: time.time() + 10  # a refused token request is remembered for 5 seconds
    outcome = await read(azure, hostile)
    assert not isinstance(outcome, Unknown | Failure), outcome


# --- sizes ------------------------------------------------------------------------------------------------------------

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
            assert "proxy" in message  # what to look at
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


# --- lists ------------------------------------------------------------------------------------------------------------


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


# --- headers ----------------------------------------------------------------------------------------------------------

RETRY_AFTER = [
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",  # F09
    "Mon, 99 Jan 2026 99:99:99 GMT",
    "Mon, 01 Jan 0000 00:00:00 GMT",
    "Mon, 01 Jan 2026 00:00:00 +9999",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "-1",
    "-99999999999999999999",
    "NaN",
    "inf",
    "1e999",
    "9" * 5000,
    "\u00b2",
    "0x10",
    "1,2,3",
    ", , ,",
    '"' * 4000,
    "(" * 4000,
    "",
]


@pytest.mark.parametrize("value", RETRY_AFTER, ids=lambda one: one[:30])
async def test_f09_any_retry_after_is_classified(hostile: Hostile, authority: trustme.CA, value: str) -> None:
    for name in ("cache", "secret", "token"):
        service, read = READS[name]
        for status in (429, 503, 400):
            for header in ("Retry-After", "x-ms-retry-after-ms"):
                hostile.forget()
                hostile.on(service, "", error(status, "slow down", headers=[(header, value)]))
                async with hostile.azure(authority) as azure:  # its budgets are not paused
                    outcome = await read(azure, hostile)
                why(outcome)
                if isinstance(outcome, Unknown) and outcome.retry_after is not None:
                    assert 0 <= outcome.retry_after <= 3600


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=80) | st.floats().map(str) | st.integers().map(str) | st.datetimes().map(str), st.booleans())
def test_no_value_of_retry_after_raises(value: str, ms: bool) -> None:
    found = retry_after({"x-ms-retry-after-ms" if ms else "Retry-After": value})
    assert found is None or 0 <= found <= 3600


HEADERS: dict[str, list[tuple[str, str]]] = {
    "F14 punycode": [("Content-Type", "application/json; charset=punycode")],
    "a codec of bytes": [("Content-Type", "application/json; charset=zlib")],
    "a codec that executes nothing": [("Content-Type", "application/json; charset=unicode_escape")],
    "no such charset": [("Content-Type", "application/json; charset=x-evil")],
    "a charset in two parts": [("Content-Type", "application/json; charset*0=a; charset*1=b")],
    "UTF-7": [("Content-Type", "application/json; charset=utf-7")],
    "a type of 8 KB": [("Content-Type", "a/" + "b" * 7000)],
    "many types": [("Content-Type", "application/json")] * 50,
    "XML": [("Content-Type", "application/xml")],
    "100 cookies": [("Set-Cookie", "a=" + '"\\' * 3000)] * 100,
    "100 challenges": [("WWW-Authenticate", "Bearer " + 'a="b", ' * 900)] * 100,
    "a challenge of commas": [("WWW-Authenticate", "Bearer " + "," * 8000)],
    "claims that are no base64": [("WWW-Authenticate", 'Bearer claims="%%%", error="insufficient_claims"')],
    "an encoding that there is none of": [("Content-Encoding", "evil")],
    "two encodings": [("Content-Encoding", "gzip, gzip")],
    "an encoding that it does not have": [("Content-Encoding", "gzip")],
    "a date": [("Date", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT")],
    "an operation elsewhere": [("Azure-AsyncOperation", "https://evil.example/x")],
}


@pytest.mark.parametrize("header", HEADERS)
async def test_any_header_is_read_or_classified(hostile: Hostile, authority: trustme.CA, header: str) -> None:
    for name in ("cache", "caches", "locks", "secret", "token"):
        service, read = READS[name]
        for status in (200, 400, 401, 503):
            hostile.forget()
            hostile.on(service, "", answer(status, b'{"a": "' + b"\xff\xfe" * 60_000 + b'"}', HEADERS[header]))
            async with hostile.azure(authority) as azure:
                why(await read(azure, hostile))


BROKEN = {
    "no HTTP": b"\x00" * 1000,
    "a status that is none": b"HTTP/1.1 abc\r\n\r\n",
    "a status of 20 digits": b"HTTP/1.1 99999999999999999999 x\r\n\r\n",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: NaN\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a length of 1 TB": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n{",
    "a chunk of no length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a chunk of 10 EB": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n",
    "a header of 1 MB": b"HTTP/1.1 200 OK\r\nX: " + b"y" * MIB + b"\r\n\r\n",
    "10,000 headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    "10,000 informational answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + bytes(99),
    "nothing": b"",
    "an answer and another": b"HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_what_is_no_answer_is_classified(hostile: Hostile, authority: trustme.CA, broken: str) -> None:
    for service, read in READS.values():
        hostile.forget()
        hostile.on(service, "", raw(BROKEN[broken]))
        async with hostile.azure(authority) as azure:
            why(await read(azure, hostile))
            await recovers(azure, hostile, read)


# --- bodies -----------------------------------------------------------------------------------------------------------

BODIES: dict[str, bytes] = {
    "nested lists": b"[" * 200_000,
    "nested objects": b'{"a":' * 50_000,
    "nested errors": b'{"error":' + b'{"innererror":' * 5_000 + b"{}" + b"}" * 5_001,
    "nested details": b'{"error":' + b'{"code":"a","message":"b","details":[' * 400 + b"]}" * 400 + b"}",
    "NaN": b"NaN",
    "infinite": b'{"value": [1e999], "expires_in": 1e999, "error": 1e999}',
    "a number of a million digits": b'{"value": ' + b"9" * 500_000 + b"}",
    "null": b"null",
    "a text": b'"text"',
    "a page of a proxy": b"<html><body>" + b"<p>" * 10_000,
    "an XML of entities": b"<!DOCTYPE a [<!ENTITY b '" + b"c" * 1000 + b"'>]>" + b"<a>&b;</a>" * 1000,
    "wrong types": b'{"value": {"a": 1}, "id": 5, "properties": [], "nextLink": [], "error": {"code": []}}',
    "items of wrong types": b'{"value": [null, 5, "a", [], {}]}',
    "lone surrogates": b'{"error": {"code": "\\ud800", "message": "\\udfff\\ud800"}}',
    "a policy of wrong types": b'{"error": {"code": "RequestDisallowedByPolicy", "message": "x", "additionalInfo": 5}}',
    "many policies": b'{"error": {"code": "RequestDisallowedByPolicy", "message": "x", "additionalInfo": ['
    + b",".join(b'{"info": {"policyAssignmentName": "%d%s"}}' % (number, b"n" * 900) for number in range(200))
    + b"]}}",
    "zeros": bytes(10_000),
    "F15 commas": json.dumps({"error": {"code": "X", "message": "," * 200_000}}).encode(),
    "F15 a code of 200 kB": json.dumps({"error": {"code": "," * 200_000, "message": "x"}}).encode(),
    "F15 actions": json.dumps({"error": {"code": "X", "message": "perform action '" * 15_000}}).encode(),
}


@pytest.mark.parametrize("body", BODIES)
async def test_any_body_is_read_or_classified(hostile: Hostile, authority: trustme.CA, body: str) -> None:
    for name in ("cache", "caches", "keys", "locks", "secret", "token"):
        service, read = READS[name]
        for status in (200, 400, 403, 404):
            hostile.forget()
            hostile.on(service, "", answer(status, BODIES[body]))
            async with hostile.azure(authority) as azure:
                outcome = await read(azure, hostile)
            if status != 404 or isinstance(outcome, Unknown | Failure):  # 404 is an answer about a cache or a secret
                why(outcome)


TOKENS: dict[str, dict[str, Any]] = {
    "that expired in the year 1": {"expires_in": -(10**11)},
    "for ever": {"expires_in": 10**400},
    "for an infinite time": {"expires_in": float("inf")},
    "for no time": {"expires_in": None},
    "until a word": {"expires_on": "soon"},
    "renewed in 10^400 s": {"refresh_in": 10**400},
    "that is a number": {"access_token": 5},
    "that is an object": {"access_token": {}},
    "that is empty": {"access_token": ""},
    "with a line feed": {"access_token": "a\r\nX-Evil: 1"},
    "of 500 kB": {"access_token": "x" * 500_000},
    "in another script": {"access_token": "t\u00f6ken"},
    "with scopes that are none": {"scope": 5},
    "with client information that is none": {"client_info": "%%%%", "id_token": "a.b.c"},
    "that is not there": {"access_token": None},
}


@pytest.mark.parametrize("name", TOKENS)
async def test_any_token_is_used_or_refused(azure: Azure, hostile: Hostile, name: str) -> None:
    body = {"token_type": "Bearer", "expires_in": 3600, "access_token": "a-token", **TOKENS[name]}
    hostile.on("entra", "", answer(200, json.dumps(body).encode()))
    hostile.on("arm", PLACE, answer(200, GOOD))
    for _ in range(2):  # the second time with what was kept
        outcome = await read_cache(azure, hostile)
        if not isinstance(outcome, Redis):
            why(outcome)
    assert not any("x-evil" in request.headers for request in hostile.requests)
    await recovers(azure, hostile, read_cache)


# --- challenges -------------------------------------------------------------------------------------------------------


async def healed(azure: Azure, hostile: Hostile) -> None:
    await recovers(azure, hostile, read_secret)


RESOURCES = {
    "F01 a foreign resource": "https://evil.example",
    "F01 a sibling suffix": "https://azure.test",
    "F01 Resource Manager": "https://arm.azure.test",
    "no resource": "",
}


@pytest.mark.parametrize("name", RESOURCES)
async def test_f01_a_challenge_for_another_resource(azure: Azure, hostile: Hostile, name: str) -> None:
    hostile.on("vault", "", hostile.challenge(resource=RESOURCES[name]))
    why(await read_secret(azure, hostile))
    assert hostile.count("entra") == 0
    await healed(azure, hostile)


async def test_f02_a_challenge_of_a_foreign_authority(azure: Azure, hostile: Hostile) -> None:
    value = f'Bearer authorization="https://evil.example/{TENANT}", resource="https://vault.azure.test:{hostile.port}"'
    hostile.on("vault", "", error(401, "no", headers=[("WWW-Authenticate", value)]))
    why(await read_secret(azure, hostile))
    assert {request.host for request in hostile.requests} <= {
        f"shop.vault.azure.test:{hostile.port}",
        f"login.azure.test:{hostile.port}",
    }
    await healed(azure, hostile)


CHALLENGES = {
    "F03 proof of possession": 'PoP authorization="https://login.azure.test/x", resource="https://vault.azure.test"',
    "F03 empty": "",
    "F03 two schemes": 'Basic realm="x", Bearer authorization="https://login.azure.test/x"',
    "only a scheme": "Bearer",
    "a tenant that is none": 'Bearer authorization="https://login.azure.test/..%2f..", resource="https://vault.azure.test"',
    "no tenant": 'Bearer authorization="https://login.azure.test", resource="https://vault.azure.test"',
    "half an address": 'Bearer authorization="https://[::1", resource="https://vault.azure.test"',
    "8 kB of pairs": "Bearer " + 'a="b",' * 1300,
    "claims": 'Bearer authorization="https://login.azure.test/x", claims="e30=", error="insufficient_claims"',
}


@pytest.mark.parametrize("name", CHALLENGES)
async def test_f03_an_odd_challenge(azure: Azure, hostile: Hostile, name: str) -> None:
    value = CHALLENGES[name].replace("azure.test", f"azure.test:{hostile.port}")
    hostile.on("vault", "", error(401, "no", headers=[("WWW-Authenticate", value)]))
    why(await read_secret(azure, hostile))
    await healed(azure, hostile)


TENANTS = ["11111111-0000-0000-0000-000000000000", "evil.example", "x" * 5000, "a%20b", "common", "\u00e4\u00f6"]


@pytest.mark.parametrize("tenant", TENANTS, ids=lambda one: one[:20])
async def test_f04_a_challenge_of_another_tenant_is_forgotten(azure: Azure, hostile: Hostile, tenant: str) -> None:
    hostile.on("vault", "", hostile.challenge(tenant=tenant))
    outcome = await read_secret(azure, hostile)
    message = why(outcome)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.VAULT_OTHER_TENANT
    assert len(message) < 400
    await healed(azure, hostile)


async def test_f04_a_vault_that_moves_to_another_tenant_and_back(azure: Azure, hostile: Hostile) -> None:
    await healed(azure, hostile)
    for _ in range(2):
        hostile.forget()
        hostile.on("vault", "", error(401, "AKV10032: Invalid issuer.", "Unauthorized"))
        outcome = await read_secret(azure, hostile)
        assert isinstance(outcome, Unknown)
        hostile.on("vault", "", hostile.challenge(tenant="11111111-0000-0000-0000-000000000000"))
        azure.credentials.forget(IDENTITY)
        outcome = await read_secret(azure, hostile)
        assert isinstance(outcome, Unknown)
        assert outcome.reason is Reason.VAULT_OTHER_TENANT
        await healed(azure, hostile)


async def test_f06_redirects_are_not_followed(hostile: Hostile, authority: trustme.CA) -> None:
    for name in ("cache", "keys", "secret", "token"):
        service, read = READS[name]
        for status in (301, 302, 303, 307, 308):
            hostile.on(service, "", answer(status, b"{}", [("Location", f"https://evil.azure.test:{hostile.port}/x")]))
            async with hostile.azure(authority) as azure:
                why(await read(azure, hostile))
        hostile.forget()
    assert not any(request.host.startswith("evil") for request in hostile.requests)


async def test_f08_claims_for_ever_end(azure: Azure, hostile: Hostile) -> None:
    value = 'Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'
    for name in ("cache", "keys", "secret"):
        service, read = READS[name]
        hostile.on(service, "", error(401, "no", headers=[("WWW-Authenticate", value)]))
        why(await read(azure, hostile))
        await recovers(azure, hostile, read)
    assert len(hostile.requests) < 100


# --- writes -----------------------------------------------------------------------------------------------------------


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


def test_a_denial_and_a_transient_stay_what_they_are() -> None:
    """The helpers above take failures of both kinds."""
    assert {Denied, Transient} <= set(Failure.__args__)


# --- values in flight -------------------------------------------------------------------------------------------------

SECRET = "q7p3nU+Yv5Wq/X6hTg2m8BfRk+zCaLs0x9cq/p3nUuYv"  # no shape of a key: only its value tells


def _of_body(body: bytes) -> str:
    return str(json.loads(body).get("value") or json.loads(body)["properties"]["redisConfiguration"][STRING])


STRING = "rdb-storage-connection-string"
ECHOES: dict[str, Callable[[str], str]] = {
    "C02 percent": lambda value: quote(value, safe=""),
    "C02 within a path": lambda value: f"/secrets/{value}/versions",
    "percent of every character, twice": lambda value: quote("".join(f"%{ord(one):02X}" for one in value)),
    "base64": lambda value: base64.b64encode(f"x{value}".encode()).decode(),
    "hex": lambda value: value.encode().hex(" "),
    "JSON": lambda value: value.replace("+", "\\u002b").replace("/", "\\/"),
    "HTML": lambda value: "".join(f"&#{ord(one)};" for one in value),
    "a path of short segments": lambda value: "/".join(value[at : at + 5] for at in range(0, len(value), 5)),
}


@pytest.mark.parametrize("name", ECHOES)
@pytest.mark.parametrize("what", ["vault value", "connection string", "listed key"])
async def test_c02_a_value_that_a_refusal_quotes_is_masked(
    azure: Azure, hostile: Hostile, name: str, what: str
) -> None:
    live_values.enter(f"abuse/{name}-{what}"[:60])
    spell = ECHOES[name]
    if what == "vault value":
        quoted = hostile.authorized(echo(lambda body: f"the value {spell(_of_body(body))} is refused"))
        hostile.on("vault", "/secrets/", quoted)
        failed = await azure.vaults.store(IDENTITY, hostile.vault, "orders", SecretStr(SECRET), {})
    elif what == "connection string":
        text = f"DefaultEndpointsProtocol=https;AccountName=ordersaccount1;AccountKey={SECRET};EndpointSuffix=x.y"
        hostile.on("arm", PLACE, error(400, f"the setting {spell(SECRET)} is refused"))
        failed = await azure.caches.update(IDENTITY, CACHE, {"properties": {"redisConfiguration": {STRING: text}}})
    else:
        hostile.on("arm", "listkeys", answer(200, {"primaryKey": SECRET, "secondaryKey": KEY}))
        assert not isinstance(await azure.caches.list_keys(IDENTITY, CACHE), Unknown)
        hostile.on("arm", PLACE, error(400, f"the key {spell(SECRET)} is refused"))
        failed = await azure.caches.update(IDENTITY, CACHE, {"properties": {}})
    assert isinstance(failed, WriteFailure)
    assert live_values.MASK in failed.message
    assert "is refused" in failed.message
    assert spell(SECRET) not in failed.message
    assert not any(SECRET[at : at + 8].lower() in failed.message.lower() for at in range(len(SECRET) - 8))
