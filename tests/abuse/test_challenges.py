"""Attempts on the operator's clients of Azure: challenges and redirects that lead elsewhere.

F numbers are those of the security review; the others are attempts of the same kinds.
"""

import pytest
import trustme

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.unknown import Unknown
from tests.abuse.hostile import (
    IDENTITY,
    TENANT,
    Azure,
    Hostile,
    answer,
    error,
)
from tests.abuse.reads import READS, read_secret, recovers, why


async def healed(azure: Azure, hostile: Hostile) -> None:
    await recovers(azure, hostile, read_secret)


RESOURCES = {
    "F01 a foreign resource": "https://evil.example",
    "F01 a sibling suffix": "https://azure.test:{port}",
    "F01 Resource Manager": "https://arm.azure.test:{port}",
    "no resource": "",
}


@pytest.mark.parametrize("name", RESOURCES)
async def test_f01_a_challenge_for_another_resource(azure: Azure, hostile: Hostile, name: str) -> None:
    hostile.on("vault", "", hostile.challenge(resource=RESOURCES[name].format(port=hostile.port)))
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
