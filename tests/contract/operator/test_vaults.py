"""Key Vault as the simulator answers it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from sandbox.azure.seeds import seeds
from sandbox.azure.state.faults import Fault
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.keys import VaultSecretAbsent, VaultSecretFacts
from secure_redis.domain.observe.unknown import Unknown
from secure_redis.domain.plan.write_failure import WriteFailure

from .conftest import Site

NAME = "orders-key"


@pytest.fixture
def reader(site: Site) -> Site:
    site.allow_vault("getSecret", "readMetadata")
    return site


async def look(site: Site, version: str | None = None) -> VaultSecretFacts | VaultSecretAbsent | Unknown:
    return await site.vaults.current(site.identity, site.vault, NAME, version, max_age=0)


async def facts(site: Site, version: str | None = None) -> VaultSecretFacts:
    found = await look(site, version)
    assert isinstance(found, VaultSecretFacts), found
    return found


async def test_the_newest_of_many_pages(reader: Site) -> None:
    now = int(time.time())
    reader.control.keyvault.set_secret(reader.name, NAME, seeds.SecretVersion(value="first", created=now - 101))
    await facts(reader)
    for number in range(60):
        version = seeds.SecretVersion(value=f"v{number}", created=now - 100 + number, tags={"n": str(number)})
        reader.control.keyvault.set_secret(reader.name, NAME, version)
    found = await facts(reader)
    assert found.value is not None
    assert found.value.get_secret_value() == "v59"
    assert found.tags == {"n": "59"}
    assert reader.requests("/versions", "vault") >= 3
    reads = reader.requests(found.version, "vault")
    await facts(reader)
    assert reader.requests(found.version, "vault") == reads  # known: not read again


async def test_versions_of_one_second_are_distinguished(reader: Site) -> None:
    now = int(time.time())
    for value in ("one", "two", "three"):
        newest = reader.control.keyvault.set_secret(reader.name, NAME, seeds.SecretVersion(value=value, created=now))
    found = await facts(reader)
    assert (found.version, found.value and found.value.get_secret_value()) == (newest, "three")


async def test_get_right_only(site: Site) -> None:
    site.allow_vault("getSecret")
    site.control.keyvault.set_secret(site.name, NAME, "one")
    assert (await facts(site)).value is not None
    for value in ("two", "three"):
        site.control.keyvault.set_secret(site.name, NAME, value)
        found = await facts(site)
        assert found.value is not None
        assert found.value.get_secret_value() == value
    assert site.requests("/versions", "vault") == 1  # refused: then not again


@pytest.mark.parametrize("powers", [("getSecret", "readMetadata"), ("getSecret",)])
@pytest.mark.parametrize("change", [{"enabled": False}, {"expires": 1}, {"not_before": 4102444800}])
async def test_an_unusable_version_gives_no_value_and_no_older_one(
    site: Site, powers: tuple[str, ...], change: dict[str, Any]
) -> None:
    site.allow_vault(*powers)
    now = int(time.time())
    site.control.keyvault.set_secret(site.name, NAME, seeds.SecretVersion(value="old", created=now - 9))
    newest = site.control.keyvault.set_secret(site.name, NAME, seeds.SecretVersion(value="new", created=now))
    site.control.keyvault.change_secret(site.name, NAME, **change)
    found = await look(site)
    assert isinstance(found, VaultSecretFacts)
    # A plain read of a disabled secret does not say which version it refuses.
    blind = powers == ("getSecret",) and "enabled" in change
    assert (found.version, found.value) == ("" if blind else newest, None)
    assert found.enabled is change.get("enabled", True)


async def test_a_pinned_version(reader: Site) -> None:
    now = int(time.time())
    old = reader.control.keyvault.set_secret(reader.name, NAME, seeds.SecretVersion(value="old", created=now - 9))
    reader.control.keyvault.set_secret(reader.name, NAME, seeds.SecretVersion(value="new", created=now))
    found = await facts(reader, old)
    assert (found.version, found.latest) == (old, False)
    assert found.value is not None
    assert found.value.get_secret_value() == "old"
    missing = await look(reader, "0" * 32)
    assert isinstance(missing, VaultSecretAbsent)


async def test_missing_objects(reader: Site) -> None:
    assert isinstance(await look(reader), VaultSecretAbsent)
    reader.control.keyvault.set_secret(reader.name, NAME, "one")
    await facts(reader)
    reader.control.keyvault.delete_secret(reader.name, NAME)
    assert isinstance(await look(reader), VaultSecretAbsent)
    reader.control.keyvault.delete(reader.name)
    gone = await look(reader)
    assert isinstance(gone, Unknown)
    assert gone.reason is Reason.VAULT_NOT_FOUND


async def test_no_right_and_no_way(site: Site) -> None:
    site.control.keyvault.set_secret(site.name, NAME, "one")
    denied = await look(site)
    assert isinstance(denied, Unknown)
    assert denied.reason is Reason.VAULT_FORBIDDEN
    site.control.seed(
        seeds.Vault(
            name=site.name,
            tenant=site.identity.tenant_id,
            subscription=site.subscription,
            group=site.group,
            firewall=True,
        )
    )
    walled = await look(site)
    assert isinstance(walled, Unknown)
    assert walled.reason is Reason.VAULT_FIREWALL


async def test_store_and_read_back(site: Site) -> None:
    site.allow_vault("getSecret", "readMetadata", "setSecret")
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=60)
    version = await site.vaults.store(
        site.identity, site.vault, NAME, SecretStr("canary-key"), {"CredentialId": "Primary"}, expires
    )
    assert isinstance(version, str)
    found = await facts(site)
    assert (found.version, found.tags, found.expires) == (version, {"CredentialId": "Primary"}, expires)
    assert found.value is not None
    assert found.value.get_secret_value() == "canary-key"


async def test_a_deleted_name_stays_deleted(site: Site) -> None:
    site.allow_vault("getSecret", "readMetadata", "setSecret")
    site.control.keyvault.set_secret(site.name, NAME, "one")
    site.control.keyvault.delete_secret(site.name, NAME)
    outcome = await site.vaults.store(site.identity, site.vault, NAME, SecretStr("x"), {})
    assert isinstance(outcome, WriteFailure)
    assert (outcome.reason, outcome.permanent) == (Reason.VAULT_SECRET_DELETED, True)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(kind="html"), Reason.AZURE_ERROR),
        (Fault(kind="truncated"), Reason.AZURE_ERROR),
        (Fault(kind="reset"), Reason.AZURE_UNREACHABLE),
        (Fault(kind="hang"), Reason.AZURE_UNREACHABLE),
        (Fault(status=503), Reason.AZURE_ERROR),
        (Fault(status=429, headers={"Retry-After": "11"}), Reason.AZURE_THROTTLED),
    ],
    ids=lambda value: value.kind + str(value.status) if isinstance(value, Fault) else str(value),
)
async def test_a_vault_in_trouble_is_an_unknown(reader: Site, fault: Fault, reason: Reason) -> None:
    reader.control.keyvault.set_secret(reader.name, NAME, "one")
    with reader.control.faults.during(fault.model_copy(update={"service": "vault", "times": None})):
        outcome = await look(reader)
    assert isinstance(outcome, Unknown)
    assert outcome.reason is reason
    reader.clock.now += 12
    assert (await facts(reader)).value is not None
