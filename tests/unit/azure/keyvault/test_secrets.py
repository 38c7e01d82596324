import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.identity import Identity
from secure_redis.domain.observe.keys import VaultSecretAbsent, VaultSecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure
from tests.unit.azure.conftest import (
    IDENTITY,
    OTHER,
    TENANT,
    Answer,
    NotLeading,
    World,
    as_json,
    challenged,
    says,
)

NAME = "orders-key"
SECRET = f"/secrets/{NAME}"
VERSIONS = f"{SECRET}/versions"
OLD, NEW = "0" * 31 + "1", "0" * 31 + "2"
NOW = int(time.time())
CANARY = "canary-value"


def attributes(created: int, **more: Any) -> dict[str, Any]:
    return {"enabled": True, "created": created, "updated": created, **more}


def item(world: World, version: str, created: int, **more: Any) -> dict[str, Any]:
    return {"id": f"{world.script.vault}/secrets/{NAME}/{version}", "attributes": attributes(created, **more)}


def bundle(world: World, version: str, value: str = CANARY, **more: Any) -> Answer:
    return says({"value": value, **item(world, version, NOW, **more), "tags": {"a": "b"}})


def listed(world: World, *items: dict[str, Any]) -> None:
    world.script.on("GET", VERSIONS, challenged(world.script, says({"value": list(items), "nextLink": None})))


def readable(world: World, version: str, value: str = CANARY, **more: Any) -> None:
    world.script.on("GET", f"{SECRET}/{version}", challenged(world.script, bundle(world, version, value, **more)))


def current(world: World, version: str, value: str = CANARY, **more: Any) -> None:
    world.script.on("GET", SECRET, challenged(world.script, bundle(world, version, value, **more)))


def deny(world: World, inner: str, status: int = 403) -> Answer:
    error = {"error": {"code": "Forbidden", "message": "no", "innererror": {"code": inner}}}
    return challenged(world.script, says(error, status))


async def look(
    world: World, *, identity: Identity = IDENTITY, version: str | None = None, max_age: float = 60
) -> VaultSecretFacts | VaultSecretAbsent | Unknown:
    return await world.vaults.current(identity, world.script.vault, NAME, version, max_age=max_age)


def reads(world: World) -> list[str]:
    return [observed.path.rstrip("/") for observed in world.script.calls("GET", SECRET) if observed.authorized]


async def known(world: World, version: str = OLD, *, identity: Identity = IDENTITY) -> None:
    """Read the secret for the first time, a minute before the next check."""
    current(world, version)
    await look(world, identity=identity)
    world.clock.now += 61
    world.script.observed.clear()


async def test_the_first_read_is_one_request(world: World) -> None:
    current(world, NEW)
    facts = await look(world)
    assert isinstance(facts, VaultSecretFacts)
    assert facts.value is not None
    assert (facts.version, facts.latest, facts.tags) == (NEW, True, {"a": "b"})
    assert facts.value.get_secret_value() == CANARY
    assert reads(world) == [SECRET]


async def test_the_newest_version_of_all_pages_in_whatever_order(world: World) -> None:
    await known(world)
    link = f"{world.script.vault}{SECRET}/page2?api-version=7.6"
    first = says({"value": [item(world, OLD, NOW - 9)], "nextLink": link})
    world.script.on("GET", VERSIONS, challenged(world.script, first))
    rest = says({"value": [item(world, NEW, NOW - 1), item(world, "f" * 32, NOW - 5)]})
    world.script.on("GET", f"{SECRET}/page2", rest)
    readable(world, NEW)
    facts = await look(world)
    assert isinstance(facts, VaultSecretFacts)
    assert (facts.version, facts.latest, facts.enabled) == (NEW, True, True)
    assert facts.value is not None
    assert facts.value.get_secret_value() == CANARY
    assert CANARY not in repr(facts)


async def test_one_check_serves_all_and_a_value_is_read_only_when_it_moved(world: World) -> None:
    current(world, OLD, "one")
    await asyncio.gather(*(look(world) for _ in range(20)))
    assert reads(world) == [SECRET]
    world.clock.now += 61
    listed(world, item(world, OLD, NOW - 9))
    await look(world)
    assert reads(world)[1:] == [VERSIONS]
    world.clock.now += 61
    listed(world, item(world, OLD, NOW - 9), item(world, NEW, NOW))
    readable(world, NEW, "two")
    facts = await look(world)
    assert isinstance(facts, VaultSecretFacts)
    assert facts.value is not None
    assert facts.value.get_secret_value() == "two"


async def test_one_identitys_value_never_serves_another(world: World) -> None:
    await known(world)
    world.script.on("GET", VERSIONS, deny(world, "ForbiddenByRbac"))
    world.script.on("GET", SECRET, deny(world, "ForbiddenByRbac"))
    outcome = await look(world, identity=OTHER)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is Reason.VAULT_FORBIDDEN


async def test_without_the_list_right_a_plain_read_does(world: World) -> None:
    world.script.on("GET", VERSIONS, deny(world, "ForbiddenByRbac"))
    await known(world)
    facts = await look(world)
    assert isinstance(facts, VaultSecretFacts)
    assert facts.version == OLD
    world.clock.now += 61
    current(world, NEW, "two")
    facts = await look(world)
    assert isinstance(facts, VaultSecretFacts)
    assert facts.value is not None
    assert facts.value.get_secret_value() == "two"
    assert reads(world) == [VERSIONS, SECRET, SECRET]  # the denied list not again


@pytest.mark.parametrize(
    ("more", "enabled"),
    [({"enabled": False}, False), ({"exp": NOW - 5}, True), ({"nbf": NOW + 86_400}, True)],
)
async def test_an_unusable_newest_version_is_reported_without_value_and_no_older_one_is_used(
    world: World, more: dict[str, Any], enabled: bool
) -> None:
    await known(world)
    listed(world, item(world, OLD, NOW - 9), item(world, NEW, NOW, **more))
    facts = await look(world)
    assert isinstance(facts, VaultSecretFacts)
    assert (facts.version, facts.enabled, facts.value) == (NEW, enabled, None)
    assert reads(world) == [VERSIONS]
    assert facts.expires == (datetime.fromtimestamp(NOW - 5, UTC) if "exp" in more else None)


@pytest.mark.parametrize("more", [{"exp": NOW - 5}, {"nbf": NOW + 86_400}])
async def test_the_first_read_keeps_no_value_of_an_unusable_version(world: World, more: dict[str, Any]) -> None:
    current(world, NEW, **more)
    facts = await look(world)
    assert isinstance(facts, VaultSecretFacts)
    assert (facts.version, facts.value) == (NEW, None)
    assert [secret.value for _, secret in world.vaults._secrets.items()] == [None]


async def test_the_first_read_of_a_disabled_version_looks_in_the_list(world: World) -> None:
    world.script.on("GET", SECRET, deny(world, "SecretDisabled"))
    listed(world, item(world, OLD, NOW - 9), item(world, NEW, NOW, enabled=False))
    facts = await look(world)
    assert isinstance(facts, VaultSecretFacts)
    assert (facts.version, facts.enabled, facts.value) == (NEW, False, None)
    assert reads(world) == [SECRET, VERSIONS]


async def test_two_versions_of_one_second_are_settled_by_the_vault(world: World) -> None:
    await known(world)
    listed(world, item(world, OLD, NOW), item(world, NEW, NOW))
    current(world, NEW)
    facts = await look(world)
    assert isinstance(facts, VaultSecretFacts)
    assert facts.version == NEW


async def test_a_pinned_version_reports_whether_it_is_the_newest(world: World) -> None:
    listed(world, item(world, OLD, NOW - 9), item(world, NEW, NOW))
    readable(world, OLD, "one")
    facts = await look(world, version=OLD)
    assert isinstance(facts, VaultSecretFacts)
    assert (facts.version, facts.latest) == (OLD, False)


async def test_a_pinned_version_that_is_not_there(world: World) -> None:
    listed(world, item(world, OLD, NOW))
    missing = says({"error": {"code": "SecretNotFound", "message": "no"}}, 404)
    world.script.on("GET", f"{SECRET}/{NEW}", challenged(world.script, missing))
    outcome = await look(world, version=NEW)
    assert isinstance(outcome, VaultSecretAbsent)
    assert NEW in outcome.message


async def test_no_secret(world: World) -> None:
    missing = says({"error": {"code": "SecretNotFound", "message": "no"}}, 404)
    world.script.on("GET", SECRET, challenged(world.script, missing))
    assert isinstance(await look(world), VaultSecretAbsent)
    assert isinstance(await look(world), VaultSecretAbsent)
    assert reads(world) == [SECRET]


async def test_a_secret_that_is_gone(world: World) -> None:
    await known(world)
    listed(world)
    missing = says({"error": {"code": "SecretNotFound", "message": "no"}}, 404)
    world.script.on("GET", SECRET, challenged(world.script, missing))
    assert isinstance(await look(world), VaultSecretAbsent)
    assert reads(world) == [VERSIONS, SECRET]


@pytest.mark.parametrize(
    ("inner", "reason"),
    [("ForbiddenByFirewall", Reason.VAULT_FIREWALL), ("ForbiddenByRbac", Reason.VAULT_FORBIDDEN)],
)
@pytest.mark.parametrize("first", [True, False], ids=["the first read", "a later check"])
async def test_refusals(world: World, inner: str, reason: Reason, first: bool) -> None:
    if not first:
        await known(world)
    world.script.on("GET", VERSIONS, deny(world, inner))
    world.script.on("GET", SECRET, deny(world, inner))
    outcome = await look(world)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is reason
    count = len(reads(world))
    assert isinstance(await look(world), Unknown)
    assert len(reads(world)) == count  # remembered for a moment
    await look(world, max_age=0)
    assert len(reads(world)) > count


async def test_a_throttling_vault_is_left_alone(world: World) -> None:
    error = {"error": {"code": "Throttled", "message": "x"}}
    world.script.on("GET", SECRET, challenged(world.script, says(error, 429, {"Retry-After": "20"})))
    outcome = await look(world)
    assert isinstance(outcome, Unknown)
    assert (outcome.reason, outcome.retry_after) == (Reason.AZURE_THROTTLED, 20)
    world.clock.now += 15
    again = await look(world)
    assert isinstance(again, Unknown)
    assert again.retry_after == 5
    assert again.message != ""
    assert len(reads(world)) == 1


@pytest.mark.parametrize(
    "uri",
    [
        "https://shop.evil.example",
        "https://shop.vault.azure.test",
        "https://a.b.vault.azure.test:{port}",
        "http://shop.vault.azure.test:{port}",
        "https://shop.vault.azure.test:{port}/x",
    ],
)
async def test_a_foreign_vault_gets_no_request(world: World, uri: str) -> None:
    uri = uri.format(port=world.script.port)
    for outcome in (
        await world.vaults.current(IDENTITY, uri, NAME, max_age=60),
        await world.vaults.store(IDENTITY, uri, NAME, SecretStr("x"), {}),
    ):
        assert isinstance(outcome, Unknown | WriteFailure)
        assert (outcome.reason, outcome.permanent) == (Reason.VAULT_NOT_ALLOWED, True)
    assert world.script.observed == []


@pytest.mark.parametrize(
    ("resource", "tenant", "reason"),
    [
        ("https://evil.example", TENANT, Reason.VAULT_NOT_ALLOWED),
        ("https://azure.test:{port}", TENANT, Reason.VAULT_NOT_ALLOWED),
        ("https://vault.azure.test:{port}", "12121212-8888-7777-6666-555555555555", Reason.VAULT_OTHER_TENANT),
    ],
)
async def test_a_challenge_for_something_else_gets_no_token(
    world: World, resource: str, tenant: str, reason: Reason
) -> None:
    answer = challenged(world.script, says({}), resource=resource.format(port=world.script.port), tenant=tenant)
    world.script.on("GET", SECRET, answer)
    outcome = await look(world)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is reason
    assert world.script.calls("POST") == []
    assert reads(world) == []


async def test_a_page_elsewhere_gets_no_token(world: World) -> None:
    await known(world)
    link = f"https://other.vault.azure.test:{world.script.port}/steal"
    page = says({"value": [item(world, OLD, NOW)], "nextLink": link})
    world.script.on("GET", VERSIONS, challenged(world.script, page))
    outcome = await look(world)
    assert isinstance(outcome, Unknown)
    assert world.script.calls("GET", "/steal") == []


async def test_store(world: World) -> None:
    world.script.on("PUT", SECRET, challenged(world.script, bundle(world, NEW)))
    current(world, OLD, "one")
    await look(world)
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=60)
    version = await world.vaults.store(
        IDENTITY, world.script.vault, NAME, SecretStr(CANARY), {"CredentialId": "Primary"}, expires
    )
    assert version == NEW
    sent = [observed for observed in world.script.calls("PUT") if observed.authorized]
    assert len(sent) == 1
    body = as_json(sent[0].body)
    assert body["value"] == CANARY
    assert body["tags"] == {"CredentialId": "Primary"}
    assert body["attributes"]["exp"] == int(expires.timestamp())
    listed(world, item(world, OLD, NOW - 9), item(world, NEW, NOW))
    readable(world, NEW)
    facts = await look(world)  # immediately, not when the last check is too old
    assert isinstance(facts, VaultSecretFacts)
    assert facts.version == NEW


async def test_a_deleted_name_is_neither_recovered_nor_purged(world: World) -> None:
    error = {
        "error": {"code": "Conflict", "message": "deleted", "innererror": {"code": "ObjectIsDeletedButRecoverable"}}
    }
    world.script.on("PUT", SECRET, challenged(world.script, says(error, 409)))
    outcome = await world.vaults.store(IDENTITY, world.script.vault, NAME, SecretStr("x"), {})
    assert isinstance(outcome, WriteFailure)
    assert (outcome.reason, outcome.permanent) == (Reason.VAULT_SECRET_DELETED, True)
    assert {observed.method for observed in world.script.observed} == {"PUT", "POST"}


async def test_a_resource_that_does_not_lead_stores_nothing(world: World) -> None:
    world.writes_allowed = False
    with pytest.raises(NotLeading):
        await world.vaults.store(IDENTITY, world.script.vault, NAME, SecretStr("x"), {})
    assert world.script.calls("PUT") == []


async def test_values_are_dropped_when_they_are_not_requested(world: World) -> None:
    await known(world)
    world.clock.now += 3601
    absent = says({"error": {"code": "SecretNotFound", "message": "no"}}, 404)
    world.script.on("GET", "/secrets/else", challenged(world.script, absent))
    await world.vaults.current(IDENTITY, world.script.vault, "else", max_age=60)
    assert [key[2] for key, _ in world.vaults._secrets.items()] == ["else"]


async def test_a_write_is_not_repeated_when_the_connection_breaks(world: World) -> None:
    await known(world)  # a connection to use again

    async def broken(request: Any) -> Any:
        request.transport.abort()
        raise ConnectionResetError

    world.script.on("PUT", SECRET, broken)
    outcome = await world.vaults.store(IDENTITY, world.script.vault, NAME, SecretStr("x"), {})
    assert isinstance(outcome, WriteFailure)
    assert outcome.reason is Reason.AZURE_UNREACHABLE
    assert len(world.script.calls("PUT")) == 1


async def test_both_kinds_of_check_report_when_a_version_was_created(world: World) -> None:
    made = NOW - 9
    world.script.on("GET", SECRET, challenged(world.script, says({"value": "x", **item(world, OLD, made)})))
    by_get = await look(world)
    world.clock.now += 61
    listed(world, item(world, NEW, made))
    readable(world, NEW)
    by_list = await look(world)
    assert reads(world) == [SECRET, VERSIONS, f"{SECRET}/{NEW}"]
    for facts in (by_list, by_get):
        assert isinstance(facts, VaultSecretFacts)
        assert facts.created == datetime.fromtimestamp(made, UTC)


async def test_tagging_a_version_sends_only_the_tags(world: World) -> None:
    changed = says(item(world, OLD, NOW - 9))
    world.script.on("PATCH", f"{SECRET}/{OLD}", challenged(world.script, changed))
    tags = {"CredentialId": "Primary"}
    assert await world.vaults.mark(IDENTITY, world.script.vault, NAME, OLD, tags) is None
    sent = [observed for observed in world.script.calls("PATCH") if observed.authorized]
    assert [(observed.path, as_json(observed.body)) for observed in sent] == [(f"{SECRET}/{OLD}", {"tags": tags})]
    assert await world.vaults.mark(IDENTITY, world.script.vault, NAME, OLD, {}) is None
    assert as_json(world.script.calls("PATCH")[-1].body) == {"tags": {}}


async def test_tagging_requires_a_version_a_host_and_the_lead(world: World) -> None:
    with pytest.raises(ValueError, match="version"):
        await world.vaults.mark(IDENTITY, world.script.vault, NAME, "", {})
    foreign = await world.vaults.mark(IDENTITY, "https://shop.vault.evil.example", NAME, OLD, {})
    assert isinstance(foreign, WriteFailure)
    assert foreign.reason is Reason.VAULT_NOT_ALLOWED
    world.writes_allowed = False
    with pytest.raises(NotLeading):
        await world.vaults.mark(IDENTITY, world.script.vault, NAME, OLD, {})
    assert world.script.calls("PATCH") == []


@pytest.mark.parametrize("identity", [IDENTITY, OTHER], ids=["own", "another's"])
async def test_a_check_that_a_write_overtook_is_not_believed(world: World, identity: Identity) -> None:
    await known(world, identity=identity)
    begun, written = asyncio.Event(), asyncio.Event()

    async def slow(request: Any) -> Any:
        begun.set()
        await written.wait()
        return await says({"value": [item(world, OLD, NOW - 9)]})(request)

    world.script.on("GET", VERSIONS, challenged(world.script, slow))
    world.script.on("PATCH", f"{SECRET}/{OLD}", challenged(world.script, says(item(world, OLD, NOW - 9))))
    checking = asyncio.create_task(look(world, identity=identity))
    await begun.wait()
    assert await world.vaults.mark(IDENTITY, world.script.vault, NAME, OLD, {"a": "1"}) is None
    written.set()
    await checking
    listed(world, {**item(world, OLD, NOW - 9), "tags": {"a": "1"}})
    facts = await look(world, identity=identity)
    assert isinstance(facts, VaultSecretFacts)
    assert facts.tags == {"a": "1"}
