import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.credentials import Credentials, ManagedIdentity, WorkloadIdentity
from secure_redis.azure.core.failures import IdentityUnavailable
from secure_redis.azure.redis.client import Caches
from secure_redis.domain.observe.identity import NamespaceIdentity, OperatorIdentity
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.observe.unknown import Unknown
from tests.unit.azure.conftest import (
    IDENTITY,
    OTHER,
    TENANT,
    Answer,
    World,
    cache_body,
    cache_id,
    path_of,
    says,
)

TOKEN = f"/{TENANT}/oauth2/v2.0/token"
CACHE = cache_id()


def refused(number: int) -> Answer:
    text = f"AADSTS{number}: because. Trace ID: 0f8fad5b-d9cb-469f-a165-70867728950e Timestamp: 2026-11-24 10:00:00Z"
    return says({"error": "invalid_client", "error_description": text, "error_codes": [number]}, 401)


def granted(token: str, seconds: int = 3600) -> Answer:
    return says({"token_type": "Bearer", "expires_in": seconds, "access_token": token})


async def read(world: World, identity: Any = IDENTITY) -> Redis | Unknown:
    outcome = await world.caches.read(identity, CACHE)
    assert isinstance(outcome, Redis | Unknown)
    return outcome


@pytest.fixture
def tokens(world: World) -> list[str]:
    """The tokens that Resource Manager was shown."""
    shown: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        shown.append(request.headers["Authorization"].removeprefix("Bearer "))
        return web.json_response(cache_body())

    world.script.on("GET", path_of(CACHE), answer)
    return shown


async def test_the_exchange_is_the_one_that_entra_documents(world: World, tokens: list[str]) -> None:
    await read(world)
    sent = dict(pair.split("=", 1) for pair in world.script.calls("POST", TOKEN)[0].body.decode().split("&"))
    assert sent["client_id"] == IDENTITY.client_id
    assert sent["client_assertion"] == "an-assertion"
    assert sent["grant_type"] == "client_credentials"
    assert sent["scope"].startswith("https%3A%2F%2Farm.azure.test%3A")
    assert ("entra", "POST token", 200) in world.requests
    assert tokens == ["an-access-token"]


async def test_identities_do_not_share_tokens(world: World, tokens: list[str]) -> None:
    world.script.on("POST", TOKEN, granted("one"), granted("two"))
    await read(world)
    await read(world, OTHER)
    await read(world)
    assert tokens == ["one", "two", "one"]


async def test_a_token_is_renewed_before_its_end(world: World, tokens: list[str]) -> None:
    world.script.on("POST", TOKEN, granted("one", 200), granted("two"))
    await read(world)  # 200 s are too few for azure-core already: it asks at the next request
    await read(world)
    assert tokens == ["one", "two"]


async def test_a_failed_renewal_uses_what_is_still_good(world: World, tokens: list[str]) -> None:
    world.script.on("POST", TOKEN, granted("one", 200), refused(700213))
    await read(world)
    assert isinstance(await read(world), Redis)
    assert tokens == ["one", "one"]


async def test_a_refused_exchange_is_requested_once_for_all(world: World) -> None:
    world.script.on("POST", TOKEN, refused(700213))
    outcomes = await asyncio.gather(*(read(world) for _ in range(10)))
    assert len({outcome.message for outcome in outcomes if isinstance(outcome, Unknown)}) == 1
    assert all(isinstance(outcome, Unknown) and outcome.reason is Reason.TOKEN_REFUSED for outcome in outcomes)
    assert len(world.script.calls("POST", TOKEN)) == 1
    world.wall.now += 16
    await read(world)
    assert len(world.script.calls("POST", TOKEN)) == 2
    assert world.script.calls("GET") == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says("<html>error</html>", 500), Reason.AZURE_ERROR),
        (says("<html>sign in</html>"), Reason.TOKEN_REFUSED),
        (says({}), Reason.TOKEN_REFUSED),
        (says({"token_type": "Bearer"}), Reason.TOKEN_REFUSED),
        (says({"error": "temporarily_unavailable", "error_description": "x"}, 503), Reason.AZURE_ERROR),
        (says({"error": "x", "error_description": "y"}, 429, {"Retry-After": "3"}), Reason.AZURE_THROTTLED),
        (refused(90033), Reason.AZURE_ERROR),
        (says("", 307, {"Location": "https://other.azure.test/"}), None),
    ],
)
async def test_odd_answers(world: World, answer: Answer, reason: Reason | None) -> None:
    world.script.on("POST", TOKEN, answer)
    outcome = await read(world)
    assert isinstance(outcome, Unknown)
    if reason is not None:
        assert outcome.reason is reason
    assert len(world.script.calls("POST")) == 1
    assert "an-assertion" not in outcome.message


async def test_a_claims_challenge_gets_a_new_token(world: World) -> None:
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
    encoded = base64.b64encode(claims.encode()).decode()
    shown: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        shown.append(request.headers["Authorization"].removeprefix("Bearer "))
        if len(shown) > 1:
            return web.json_response(cache_body())
        return web.json_response(
            {"error": {"code": "InvalidAuthenticationToken", "message": "revoked"}},
            status=401,
            headers={
                "WWW-Authenticate": 'Bearer authorization_uri="https://login.azure.test/", '
                f'error="insufficient_claims", claims="{encoded}"'
            },
        )

    world.script.on("GET", path_of(CACHE), answer)
    world.script.on("POST", TOKEN, granted("one"), granted("two"))
    assert isinstance(await read(world), Redis)
    assert shown == ["one", "two"]
    assert b"claims=" in world.script.calls("POST", TOKEN)[1].body
    await read(world)
    assert shown == ["one", "two", "two"]


async def test_a_refusal_by_kubernetes_reaches_the_status(world: World) -> None:
    async def refuse(identity: NamespaceIdentity) -> SecretStr:
        raise IdentityUnavailable(Unknown(Reason.NAMESPACE_NOT_BOUND, "apply the RoleBinding"))

    caches = Caches(world.transport, Credentials(world.script.cloud, world.transport, refuse))
    outcome = await caches.read(IDENTITY, CACHE)
    assert outcome == Unknown(Reason.NAMESPACE_NOT_BOUND, "apply the RoleBinding")


async def test_the_operators_identity_reads_its_token_file_each_time(world: World, tmp_path: Path) -> None:
    async def never(identity: NamespaceIdentity) -> SecretStr:
        raise AssertionError

    file = tmp_path / "token"
    credential = WorkloadIdentity("bbbbbbbb-0000-0000-0000-000000000001", TENANT, str(file))
    credentials = Credentials(world.script.cloud, world.transport, never, credential, clock=world.wall)
    caches = Caches(world.transport, credentials)
    world.script.on("GET", path_of(CACHE), says(cache_body()))
    missing = await caches.read(OperatorIdentity(), CACHE)
    assert isinstance(missing, Unknown)
    assert missing.reason is Reason.TOKEN_REFUSED
    file.write_text("file-assertion\n")
    world.wall.now += 16
    assert isinstance(await caches.read(OperatorIdentity(), CACHE), Redis)
    assert b"client_assertion=file-assertion&" in world.script.calls("POST", TOKEN)[0].body + b"&"


async def test_a_managed_identity_is_requested_by_its_client_id(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []

    async def endpoint(request: web.Request) -> web.StreamResponse:
        asked.append({**request.query, "header": request.headers.get("X-IDENTITY-HEADER", "")})
        answer = {"access_token": "managed", "expires_on": int(world.wall.now) + 3600, "token_type": "Bearer"}
        return web.json_response({**answer, "resource": request.query["resource"]})

    app = web.Application()
    app.router.add_get("/msi/token", endpoint)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        # One of the forms in which a host offers its identity; on a node it is the metadata service's address.
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "a-header")

        async def never(identity: NamespaceIdentity) -> SecretStr:
            raise AssertionError

        credential = ManagedIdentity("bbbbbbbb-0000-0000-0000-000000000002")
        credentials = Credentials(world.script.cloud, world.transport, never, credential, clock=world.wall)
        world.script.on("GET", path_of(CACHE), says(cache_body()))
        outcome = await Caches(world.transport, credentials).read(OperatorIdentity(), CACHE)
    finally:
        await runner.cleanup()
    assert isinstance(outcome, Redis)
    assert [(each["client_id"], each["header"]) for each in asked] == [(credential.client_id, "a-header")]
    assert world.script.calls("POST") == []


async def test_no_identity_of_its_own(world: World) -> None:
    outcome = await read(world, OperatorIdentity())
    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.NO_IDENTITY


def test_stored_values_are_hidden_in_repr(world: World) -> None:
    credential = world.credentials.for_resource_manager(IDENTITY)
    assert "token" not in repr(credential).lower().replace("identitycredential", "")
    assert json.dumps(str(credential))


async def test_many_that_meet_one_claims_challenge_share_the_new_token(world: World) -> None:
    encoded = base64.b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"1"}}}').decode()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] == "Bearer two":
            return web.json_response(cache_body())
        challenge = (
            f'Bearer authorization_uri="https://login.azure.test/", error="insufficient_claims", claims="{encoded}"'
        )
        return web.json_response({}, status=401, headers={"WWW-Authenticate": challenge})

    world.script.on("GET", path_of(CACHE), answer)
    world.script.on("POST", TOKEN, granted("one"), granted("two"), granted("three"))
    outcomes = await asyncio.gather(*(read(world) for _ in range(10)))
    assert all(isinstance(outcome, Redis) for outcome in outcomes)
    assert len(world.script.calls("POST", TOKEN)) == 2


async def test_nothing_secret_is_logged_at_any_level(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    keys = {"primaryKey": "canary-one", "secondaryKey": "canary-two"}
    operation = f"https://arm.azure.test:{world.script.port}/operation?t=canary-signature"
    body = cache_body(accessKeys=keys)
    world.script.on("PUT", path_of(CACHE), says(body, 201, {"Azure-AsyncOperation": operation}))
    world.script.on("GET", "/operation", says({"status": "Failed", "error": {"code": "x", "message": "y"}}))
    world.script.on("POST", f"{path_of(CACHE)}/listKeys", says(keys))
    world.script.on("GET", path_of(CACHE), says(body), says("<html>canary</html>"))
    await world.caches.create(IDENTITY, CACHE, {})
    await world.caches.operation(IDENTITY, CACHE)
    await world.caches.list_keys(IDENTITY, CACHE)
    for _ in range(2):
        outcome = await world.caches.read(IDENTITY, CACHE)
        assert "canary" not in repr(outcome)
    text = caplog.text
    for secret in ("canary", "an-access-token", "an-assertion"):
        assert secret not in text


@pytest.mark.parametrize("tenant", ["", "a/b", "../common", "a b", "tenant?x=1"])
async def test_a_tenant_id_that_is_none_is_not_put_into_a_url(world: World, tenant: str) -> None:
    outcome = await read(world, replace(IDENTITY, tenant_id=tenant))
    assert isinstance(outcome, Unknown)
    assert (outcome.reason, outcome.permanent) == (Reason.TOKEN_REFUSED, True)
    assert "tenant-id" in outcome.message
    assert world.script.observed == []


async def test_an_identity_that_entra_throttles_stops_no_other_identity_of_the_tenant(
    world: World, tokens: list[str]
) -> None:
    world.script.on("POST", TOKEN, says({}, 429, {"Retry-After": "600"}), granted("two"))
    first = await read(world)
    assert isinstance(first, Unknown)
    assert first.reason is Reason.AZURE_THROTTLED
    assert isinstance(await read(world, OTHER), Redis)
    assert tokens == ["two"]


async def test_a_tenant_that_is_named_by_its_domain_is_not_compared_with_an_id(world: World) -> None:
    """A vault's challenge names the id, and Entra takes both."""
    world.script.on("POST", "/shop.onmicrosoft.com/oauth2/v2.0/token", granted("one"))
    identity, scope = replace(IDENTITY, tenant_id="shop.onmicrosoft.com"), "https://vault.azure.test/.default"
    token = await world.credentials.for_vault(identity, scope).get_token(scope, tenant_id=TENANT)
    assert token.token == "one"
