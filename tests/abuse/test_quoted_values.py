"""Attempts to have a secret value quoted: refusals that spell it in another way (C02 of the security review)."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure
from secure_redis.telemetry import live_values
from tests.abuse.hostile import (
    CACHE,
    IDENTITY,
    Azure,
    Hostile,
    answer,
    echo,
    error,
)
from tests.abuse.reads import KEY, PLACE

SECRET = "q7p3nU+Yv5Wq/X6hTg2m8BfRk+zCaLs0x9cq/p3nUuYv"  # no shape of a key: only its value shows what it is


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
    failed: str | WriteFailure | None
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
