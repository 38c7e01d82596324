"""Attempts on the operator's clients of Azure: headers, bodies and tokens of every odd form.

Each ends in a classified failure that says what to do.
F numbers are those of the security review; the others are attempts of the same kinds.
"""

import json
from typing import Any

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_redis.azure.core.failures import Failure
from secure_redis.azure.core.rate_limits import retry_after
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import Unknown
from tests.abuse.hostile import (
    MIB,
    Azure,
    Hostile,
    answer,
    error,
    raw,
)
from tests.abuse.reads import GOOD, PLACE, READS, read_cache, recovers, why

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
