"""Azure's part in led rotation: a key regenerated once, a version marked, and what is known when it goes wrong."""

import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import SecretStr

from sandbox.azure.seeds import seeds
from sandbox.azure.state.faults import Fault, Trouble
from secure_redis.api.reasons.reason import Reason
from secure_redis.azure.core.rate_limits import RateLimits
from secure_redis.azure.core.transport import Transport
from secure_redis.azure.redis.client import Caches
from secure_redis.domain.observe.cache import OperationFacts
from secure_redis.domain.observe.keys import ListedKeys, Slot, VaultSecretFacts
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.plan.write_failure import WriteFailure

from .conftest import READ, Site

REGENERATE = "Microsoft.Cache/redis/regenerateKey/action"
LIST_KEYS = "Microsoft.Cache/redis/listKeys/action"
NAME = "orders-key"


@pytest.fixture
def owner(site: Site) -> Site:
    site.allow("Microsoft.Cache/*")
    site.add_cache(primary_key="canary-primary", secondary_key="canary-secondary")
    return site


def keys(site: Site) -> tuple[str, str]:
    held = site.control.redis.keys(site.name)
    return held["Primary"], held["Secondary"]


async def regenerate(site: Site, slot: Slot = Slot.PRIMARY) -> WriteFailure:
    outcome = await site.caches.regenerate_key(site.identity, site.cache, slot)
    assert isinstance(outcome, WriteFailure), outcome
    assert "canary" not in repr(outcome)
    return outcome


async def read(site: Site) -> VaultSecretFacts:
    found = await site.vaults.current(site.identity, site.vault, NAME, max_age=3600)
    assert isinstance(found, VaultSecretFacts), found
    return found


@pytest.mark.parametrize("slot", list(Slot))
async def test_one_key_is_regenerated_and_the_other_stays(owner: Site, slot: Slot) -> None:
    assert await owner.caches.regenerate_key(owner.identity, owner.cache, slot) is None
    primary, secondary = keys(owner)
    assert (primary == "canary-primary") is (slot is Slot.SECONDARY)
    assert (secondary == "canary-secondary") is (slot is Slot.PRIMARY)
    listed = await owner.caches.list_keys(owner.identity, owner.cache)
    assert isinstance(listed, ListedKeys)
    assert (listed.primary.get_secret_value(), listed.secondary.get_secret_value()) == (primary, secondary)
    assert await owner.caches.operation(owner.identity, owner.cache) is None
    assert [(request.action, request.status) for request in owner.control.log.writes(owner.mark)] == [(REGENERATE, 200)]


@pytest.mark.parametrize(
    ("fault", "reason", "maybe_done"),
    [
        (Fault(status=429, headers={"Retry-After": "1"}), Reason.AZURE_THROTTLED, False),
        (Fault(status=400, body={"error": {"code": "BadRequest", "message": "no"}}), Reason.REQUEST_REFUSED, False),
        (Fault(status=401), Reason.TOKEN_REFUSED, False),
        (Fault(status=409, body={"error": {"code": "Conflict", "message": "no"}}), Reason.BUSY, False),
        (Fault(status=408), Reason.AZURE_ERROR, True),
        (Fault(status=500, headers={"Retry-After": "1"}), Reason.AZURE_ERROR, True),
        (Fault(status=502), Reason.AZURE_ERROR, True),
        (Fault(status=503, headers={"Retry-After": "1"}), Reason.AZURE_ERROR, True),
        (Fault(status=504), Reason.AZURE_ERROR, True),
        (Fault(kind="html", status=503), Reason.AZURE_ERROR, True),
        (Fault(kind="html", status=403), Reason.AZURE_DENIED, False),
        (Fault(kind="html", status=200), Reason.AZURE_ERROR, True),
        (Fault(status=307, headers={"Location": "/elsewhere"}), Reason.AZURE_ERROR, True),
        (Fault(kind="reset"), Reason.AZURE_UNREACHABLE, True),
        (Fault(kind="reset", when="after"), Reason.AZURE_UNREACHABLE, True),
        (Fault(kind="hang"), Reason.AZURE_UNREACHABLE, True),
    ],
    ids=lambda value: f"{value.kind}-{value.status}-{value.when}" if isinstance(value, Fault) else str(value),
)
async def test_whatever_comes_back_it_was_sent_once(
    owner: Site, fault: Fault, reason: Reason, maybe_done: bool
) -> None:
    await owner.caches.read(owner.identity, owner.cache)  # a connection and a token, as there are in the middle of it
    path = f"{owner.name}/regenerateKey"
    with owner.control.faults.during(fault.model_copy(update={"service": "arm", "path": path, "times": None})):
        outcome = await regenerate(owner)
    assert (outcome.reason, outcome.maybe_done) == (reason, maybe_done)
    assert owner.requests(path) == 1
    done = keys(owner)[0] != "canary-primary"
    assert done is (fault.when == "after")
    assert outcome.maybe_done or not done


@pytest.mark.parametrize(
    ("trouble", "reason", "says", "maybe_done"),
    [
        ("throttled", Reason.AZURE_THROTTLED, "throttling", False),
        ("denied", Reason.AZURE_DENIED, REGENERATE, False),
        ("locked", Reason.LOCKED, "remove the lock", False),
        ("failed", Reason.AZURE_ERROR, "500", True),
        ("lost", Reason.AZURE_UNREACHABLE, "broke", True),
        ("late", Reason.AZURE_UNREACHABLE, "in time", True),
        ("gateway", Reason.AZURE_ERROR, "504", True),
    ],
)
async def test_every_trouble_of_the_simulator(
    owner: Site, trouble: Trouble, reason: Reason, says: str, maybe_done: bool
) -> None:
    owner.control.faults.add_regeneration(owner.name, trouble, seconds=600)
    outcome = await regenerate(owner)
    assert (outcome.reason, outcome.maybe_done, outcome.permanent) == (reason, maybe_done, False)
    assert says in outcome.message
    assert outcome.retry_after == (600 if trouble == "throttled" else None)
    assert owner.requests(f"{owner.name}/regenerateKey") == 1
    assert (keys(owner)[0] == "canary-primary") is (trouble != "lost")
    owner.control.clock.advance(601)
    assert (keys(owner)[0] == "canary-primary") is (trouble not in ("lost", "late", "gateway"))


async def test_a_missing_role_and_a_real_lock(site: Site) -> None:
    site.allow(READ, LIST_KEYS)
    site.add_cache(primary_key="canary-primary", secondary_key="canary-secondary")
    denied = await regenerate(site)
    assert (denied.reason, denied.maybe_done) == (Reason.AZURE_DENIED, False)
    assert REGENERATE in denied.message
    site.allow(REGENERATE)
    lock = f"l-{site.name}"
    site.control.seed(seeds.Lock(scope=site.cache.text, name=lock, level="ReadOnly"))
    locked = await regenerate(site)
    assert (locked.reason, locked.maybe_done) == (Reason.LOCKED, False)
    site.control.access.delete_lock(lock)
    site.control.seed(seeds.Lock(scope=site.cache.text, name=lock, level="CanNotDelete"))
    assert await site.caches.regenerate_key(site.identity, site.cache, Slot.PRIMARY) is None
    site.control.access.delete_lock(lock)


async def test_no_cache_and_keys_that_are_off(owner: Site) -> None:
    owner.control.redis.update(owner.name, {"disableAccessKeyAuthentication": True})
    off = await regenerate(owner)
    assert (off.reason, off.permanent, off.maybe_done) == (Reason.ACCESS_KEYS_DISABLED, True, False)
    owner.control.redis.delete(owner.name)
    gone = await regenerate(owner)
    assert (gone.reason, gone.maybe_done) == (Reason.CACHE_NOT_FOUND, False)


async def test_a_revoked_token_is_replaced_and_the_key_regenerated_once(owner: Site) -> None:
    await owner.caches.read(owner.identity, owner.cache)
    owner.control.access.revoke_tokens(owner.object_id)
    assert await owner.caches.regenerate_key(owner.identity, owner.cache, Slot.PRIMARY) is None
    writes = owner.control.log.writes(owner.mark)
    assert [request.status for request in writes] == [401, 200]  # the first one was turned away at the door
    assert [effect.kind for effect in owner.control.log.effects(owner.mark)] == ["cache.regenerateKey"]


@pytest.mark.parametrize("entra", [Fault(status=503), Fault(kind="hang"), Fault(kind="reset")], ids=lambda f: f.kind)
async def test_without_a_token_nothing_was_done(owner: Site, entra: Fault) -> None:
    with owner.control.faults.during(entra.model_copy(update={"service": "entra", "times": None})):
        outcome = await regenerate(owner)
    assert not outcome.maybe_done
    assert owner.requests("regenerateKey") == 0


class _Nowhere(AbstractResolver):
    """Every name resolves to a port where no process listens, or not at all."""

    def __init__(self, address: str | None) -> None:
        self._address = address

    async def resolve(self, host: str, port: int = 0, family: object = 0) -> list[ResolveResult]:
        if self._address is None:
            raise OSError("Name or service not known")
        return [ResolveResult(hostname=host, host=self._address, port=port, family=2, proto=0, flags=4)]

    async def close(self) -> None:
        return None


@pytest.mark.parametrize("address", ["127.0.0.77", None], ids=["refused", "no such name"])
async def test_without_a_connection_nothing_was_done(owner: Site, address: str | None) -> None:
    await owner.caches.read(owner.identity, owner.cache)  # the token is there: it is the cache's own call that fails
    cloud = owner.transport.cloud
    tls = ssl.create_default_context(cafile=owner.control.endpoints.ca_file)
    async with Transport(cloud, RateLimits(owner.clock), tls=tls, resolver=_Nowhere(address)) as elsewhere:
        caches = Caches(elsewhere, owner.credentials)
        outcome = await caches.regenerate_key(owner.identity, owner.cache, Slot.PRIMARY)
    assert isinstance(outcome, WriteFailure)
    assert (outcome.reason, outcome.maybe_done) == (Reason.AZURE_UNREACHABLE, False)
    assert owner.requests("regenerateKey") == 0


async def test_a_service_that_regenerates_by_an_operation(owner: Site) -> None:
    owner.control.settings.change(regenerate_seconds=600)
    assert await owner.caches.regenerate_key(owner.identity, owner.cache, Slot.SECONDARY) is None
    assert await owner.caches.operation(owner.identity, owner.cache) == OperationFacts("InProgress")
    busy = await regenerate(owner, Slot.SECONDARY)
    assert (busy.reason, busy.maybe_done) == (Reason.BUSY, False)
    assert await owner.caches.operation(owner.identity, owner.cache) == OperationFacts("InProgress")  # not forgotten
    assert keys(owner)[1] == "canary-secondary"
    owner.control.clock.advance(601)
    assert await owner.caches.operation(owner.identity, owner.cache) == OperationFacts("Succeeded")
    assert keys(owner)[1] != "canary-secondary"


async def test_a_list_of_keys_that_lags_behind(owner: Site) -> None:
    owner.control.settings.change(new_key_listed_after_seconds=600)
    assert await owner.caches.regenerate_key(owner.identity, owner.cache, Slot.PRIMARY) is None
    for expected in ("canary-primary", keys(owner)[0]):
        listed = await owner.caches.list_keys(owner.identity, owner.cache)
        assert isinstance(listed, ListedKeys)
        assert listed.primary.get_secret_value() == expected
        owner.control.clock.advance(601)


async def test_links_appear_in_a_read_and_in_a_list(owner: Site) -> None:
    premium = {"name": "Premium", "family": "P", "capacity": 1}
    linked = f"{owner.name}-l"
    owner.add_cache(linked, sku=premium, linked_servers=("other",))
    facts = await owner.caches.read(owner.identity, owner.id_of(linked))
    assert isinstance(facts, Redis)
    [link] = facts.geo_linked
    assert link.endswith(f"/redis/{linked}/linkedServers/other".replace("redis", "Redis"))
    walked = await owner.caches.walk(owner.identity, owner.subscription)
    assert isinstance(walked, tuple)
    assert {one.resource_id.name: one.geo_linked for one in walked} == {owner.name: (), linked: (link,)}


# --- marks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("powers", [("getSecret", "readMetadata", "update"), ("getSecret", "update")])
async def test_new_tags_are_visible_at_once_and_change_nothing_else(site: Site, powers: tuple[str, ...]) -> None:
    site.allow_vault(*powers)
    now = int(time.time())
    old = seeds.SecretVersion(value="old", created=now - 9, tags={"keep": "me"})
    given = seeds.SecretVersion(
        value="new", created=now - 5, not_before=now - 60, expires=now + 600, content_type="text/plain", tags={"a": "1"}
    )
    first = site.control.keyvault.set_secret(site.name, NAME, old)
    version = site.control.keyvault.set_secret(site.name, NAME, given)
    before = await read(site)
    assert (before.version, before.tags) == (version, {"a": "1"})
    assert before.created == datetime.fromtimestamp(now - 5, UTC)
    mark = site.control.log.position()
    tags = {"CredentialId": "Primary", "secureredis-rotation": "x"}
    assert await site.vaults.mark(site.identity, site.vault, NAME, version, tags) is None
    [request] = site.control.log.writes(mark)
    assert (request.method, request.path) == ("PATCH", f"/secrets/{NAME}/{version}")
    assert {key for key in request.body_keys if "." not in key} == {"tags"}
    after = await read(site)
    assert after.tags == tags
    assert (after.version, after.created, after.expires, after.not_before, after.enabled, after.value) == (
        before.version,
        before.created,
        before.expires,
        before.not_before,
        True,
        before.value,
    )
    states = {state.version: state for state in site.control.keyvault.secret_versions(site.name, NAME)}
    assert states[first].tags == {"keep": "me"}
    assert (states[version].content_type, states[version].value) == ("text/plain", "new")


async def test_tagging_without_the_right_names_the_missing_right(site: Site) -> None:
    site.allow_vault("getSecret", "readMetadata", "setSecret")
    version = site.control.keyvault.set_secret(site.name, NAME, "one")
    outcome = await site.vaults.mark(site.identity, site.vault, NAME, version, {})
    assert isinstance(outcome, WriteFailure)
    assert (outcome.reason, outcome.maybe_done) == (Reason.VAULT_FORBIDDEN, False)
    assert "Microsoft.KeyVault/vaults/secrets/update/action" in outcome.message
    assert "Key Vault Secrets Officer" in outcome.message


async def test_a_vault_that_may_only_be_read(site: Site) -> None:
    site.allow_vault("getSecret", "readMetadata")
    site.control.keyvault.set_secret(site.name, NAME, "one")
    outcome = await site.vaults.store(site.identity, site.vault, NAME, SecretStr("canary"), {})
    assert isinstance(outcome, WriteFailure)
    assert (outcome.reason, outcome.maybe_done) == (Reason.VAULT_FORBIDDEN, False)
    assert "Microsoft.KeyVault/vaults/secrets/setSecret/action" in outcome.message
    assert "Key Vault Secrets Officer" in outcome.message
    assert (await read(site)).value is not None


async def test_a_version_that_is_not_there_is_not_marked(site: Site) -> None:
    site.allow_vault("getSecret", "update")
    site.control.keyvault.set_secret(site.name, NAME, seeds.SecretVersion(value="one", tags={"a": "1"}))
    outcome = await site.vaults.mark(site.identity, site.vault, NAME, "0" * 32, {})
    assert isinstance(outcome, WriteFailure)
    assert (outcome.reason, outcome.maybe_done) == (Reason.VAULT_SECRET_NOT_FOUND, False)
    assert [state.tags for state in site.control.keyvault.secret_versions(site.name, NAME)] == [{"a": "1"}]


@pytest.mark.parametrize("write", ["mark", "store"])
@pytest.mark.parametrize(
    ("fault", "maybe_done"),
    [
        (Fault(status=429, headers={"Retry-After": "1"}), False),
        (Fault(status=503, headers={"Retry-After": "1"}), True),
        (Fault(kind="reset", when="after"), True),
        (Fault(kind="hang", when="after"), True),
        (Fault(kind="truncated"), True),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else str(value),
)
async def test_a_vault_is_written_once_and_doubt_is_reported(
    site: Site, write: str, fault: Fault, maybe_done: bool
) -> None:
    site.allow_vault("getSecret", "readMetadata", "setSecret", "update")
    version = site.control.keyvault.set_secret(site.name, NAME, seeds.SecretVersion(value="one", tags={}))
    await read(site)  # the challenge is over
    method = "PATCH" if write == "mark" else "PUT"
    expires = datetime.now(UTC) + timedelta(days=60)
    mark = site.control.log.position()
    with site.control.faults.during(fault.model_copy(update={"service": "vault", "method": method, "times": None})):
        outcome = (
            await site.vaults.mark(site.identity, site.vault, NAME, version, {"a": "1"})
            if write == "mark"
            else await site.vaults.store(site.identity, site.vault, NAME, SecretStr("two"), {"a": "1"}, expires)
        )
    assert isinstance(outcome, WriteFailure)
    assert outcome.maybe_done is maybe_done
    assert [request.method for request in site.control.log.writes(mark)] == [method]
    done = site.control.keyvault.secret_versions(site.name, NAME)[-1].tags == {"a": "1"}
    assert done is (fault.when == "after" or fault.kind == "truncated")
    site.clock.now += 2
    assert ((await read(site)).tags == {"a": "1"}) is done  # read again, whatever the outcome
