"""Federation, tokens and roles as the simulator checks them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sandbox.azure.seeds import seeds
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import Unknown

from .conftest import AUDIENCE, OTHER_TENANT, READ, Site


async def test_a_service_accounts_token_is_enough(site: Site) -> None:
    site.add_cache()
    site.allow(READ)
    outcomes = await asyncio.gather(*(site.caches.read(site.identity, site.cache) for _ in range(5)))
    assert all(isinstance(outcome, Redis) for outcome in outcomes)
    assert site.requests(service="entra") == 1


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"sub": "system:serviceaccount:mail:orders"}, "system:serviceaccount:mail:orders"),
        ({"iss": "https://elsewhere.example"}, "issuer"),
        ({"aud": ["https://kubernetes.default.svc"]}, "audience"),
        ({"exp": 1}, "clock"),
    ],
)
async def test_a_token_that_does_not_match_names_the_field_to_correct(
    site: Site, claims: dict[str, Any], says: str
) -> None:
    site.claims.update(claims)
    outcome = await site.caches.read(site.identity, site.cache)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.TOKEN_REFUSED
    assert says in outcome.message
    assert AUDIENCE in outcome.message or says != "audience"


async def test_an_unknown_client_or_tenant(site: Site) -> None:
    for identity in (
        replace(site.identity, client_id="aaaaaaaa-0000-0000-0000-00000000ffff"),
        replace(site.identity, tenant_id="00000000-0000-0000-0000-00000000ffff"),
    ):
        outcome = await site.caches.read(identity, site.cache)
        assert isinstance(outcome, Unknown)
        assert outcome.reason is Reason.TOKEN_REFUSED


async def test_a_missing_role_is_named_and_works_once_it_has_spread(site: Site) -> None:
    site.add_cache()
    outcome = await site.caches.read(site.identity, site.cache)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.AZURE_DENIED
    assert READ in outcome.message
    assert site.cache.key in outcome.message
    site.allow(READ, delay=300)
    assert isinstance(await site.caches.read(site.identity, site.cache), Unknown)
    site.control.clock.advance(301)
    assert isinstance(await site.caches.read(site.identity, site.cache), Redis)


async def test_revoked_tokens_are_exchanged_for_new_ones(site: Site) -> None:
    site.add_cache()
    site.allow(READ)
    assert isinstance(await site.caches.read(site.identity, site.cache), Redis)
    site.control.access.revoke_tokens(site.object_id)
    assert isinstance(await site.caches.read(site.identity, site.cache), Redis)
    assert site.requests(service="entra") == 2
    site.allow_vault("getSecret", "readMetadata")
    site.control.keyvault.set_secret(site.name, "key", "value")
    assert not isinstance(await site.vaults.current(site.identity, site.vault, "key", max_age=0), Unknown)
    site.control.access.revoke_tokens(site.object_id)
    assert not isinstance(await site.vaults.current(site.identity, site.vault, "key", max_age=0), Unknown)


async def test_a_vault_of_another_tenant_gets_no_token(site: Site) -> None:
    site.control.seed(
        seeds.Vault(name=site.name, tenant=OTHER_TENANT, subscription=site.subscription, group=site.group)
    )
    outcome = await site.vaults.current(site.identity, site.vault, "key", max_age=0)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.VAULT_OTHER_TENANT
    assert site.requests(service="entra") == 0


@pytest.mark.parametrize("kind", ["html", "reset", "truncated", "status", "hang"])
async def test_entra_in_trouble_is_an_unknown(site: Site, kind: Any) -> None:
    from sandbox.azure.state.faults import Fault

    site.add_cache()
    site.allow(READ)
    with site.control.faults.during(Fault(service="entra", kind=kind, times=None, status=503)):
        outcome = await site.caches.read(site.identity, site.cache)
    assert isinstance(outcome, Unknown)
    assert outcome.reason in (Reason.AZURE_ERROR, Reason.AZURE_UNREACHABLE, Reason.TOKEN_REFUSED)
    assert not outcome.permanent
