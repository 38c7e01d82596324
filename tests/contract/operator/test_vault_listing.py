"""One list of a vault replaces the checks of its secrets, and no change is missed."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from sandbox.azure.seeds import seeds
from sandbox.azure.state.faults import Fault
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.observe.keys import VaultSecretAbsent, VaultSecretFacts
from secure_redis.domain.observe.unknown import Unknown

from .conftest import Site

NAMES = ("orders", "carts", "users")
AGE = 300.0  # seconds that an answer may be old
LATER = 301.0


@pytest.fixture
def vault(site: Site) -> Site:
    """A vault with three secrets that were stored a minute ago, and have been read once."""
    site.allow_vault("getSecret", "readMetadata", "setSecret")
    for name in NAMES:
        store(site, name, f"{name}-1", ago=60)
    return site


def store(site: Site, name: str, value: str, *, ago: float, **more: Any) -> str:
    version = seeds.SecretVersion(value=value, created=int(time.time() - ago), **more)
    return str(site.control.keyvault.set_secret(site.name, name, version))


async def look(
    site: Site, name: str = "orders", version: str | None = None, age: float = AGE
) -> VaultSecretFacts | VaultSecretAbsent | Unknown:
    return await site.vaults.current(site.identity, site.vault, name, version, max_age=age)


async def values(site: Site) -> list[str]:
    found = [await look(site, name) for name in NAMES]
    assert all(isinstance(one, VaultSecretFacts) and one.value is not None for one in found), found
    return [one.value.get_secret_value() for one in found]  # type: ignore[union-attr]


def requests(site: Site) -> Callable[[], list[str]]:
    """Return what gives the paths that were requested since it was asked last."""
    position = site.control.log.position()

    def since() -> list[str]:
        nonlocal position
        found = [one.path for one in site.control.log.requests(position, service="vault") if one.status != 401]
        position = site.control.log.position()
        return found

    return since


async def test_one_list_serves_all_secrets(vault: Site) -> None:
    asked = requests(vault)
    assert await values(vault) == ["orders-1", "carts-1", "users-1"]
    assert len(asked()) == 3, "one read of each"
    for _ in range(3):
        vault.clock.now += LATER
        assert await values(vault) == ["orders-1", "carts-1", "users-1"]
        assert asked() == ["/secrets"]


async def test_a_list_is_shared_for_a_third_of_its_age(vault: Site) -> None:
    await values(vault)
    asked = requests(vault)
    vault.clock.now += LATER
    await look(vault, "orders")
    vault.clock.now += AGE / 3 - 1
    await look(vault, "carts")
    assert asked() == ["/secrets"]
    vault.clock.now += 2
    await look(vault, "users")
    assert asked() == ["/secrets"]


@pytest.mark.parametrize(
    "change",
    [
        lambda site: store(site, "carts", "carts-2", ago=30),
        lambda site: site.control.keyvault.change_secret(site.name, "carts", tags={"CredentialId": "Secondary"}),
        lambda site: site.control.keyvault.change_secret(site.name, "carts", expires=1),
        lambda site: site.control.keyvault.change_secret(site.name, "carts", enabled=False),
    ],
    ids=["a new version", "other tags", "expired", "disabled"],
)
async def test_the_secret_that_changed_is_looked_at(vault: Site, change: Callable[[Site], object]) -> None:
    await values(vault)
    change(vault)
    vault.clock.now += LATER
    asked = requests(vault)
    before = await look(vault, "orders")
    assert isinstance(before, VaultSecretFacts)
    changed = await look(vault, "carts")
    assert isinstance(changed, VaultSecretFacts)
    assert [path.split("/")[2] for path in asked() if path != "/secrets"] in (["carts"], ["carts", "carts"])
    direct = await look(vault, "carts", age=0)
    assert changed == direct


async def test_an_odd_secret_of_others_hides_nothing(vault: Site) -> None:
    await values(vault)
    store(vault, "of-others", "x", ago=60, expires=10**17)  # no date
    vault.clock.now += LATER
    asked = requests(vault)
    assert await values(vault) == ["orders-1", "carts-1", "users-1"]
    assert asked() == ["/secrets"]


async def test_a_secret_that_is_gone_is_looked_at(vault: Site) -> None:
    await values(vault)
    vault.control.keyvault.delete_secret(vault.name, "carts")
    vault.clock.now += LATER
    assert isinstance(await look(vault, "carts"), VaultSecretAbsent)


async def test_what_was_read_within_the_same_second_is_looked_at_again(vault: Site) -> None:
    store(vault, "orders", "orders-2", ago=0)
    await values(vault)
    # Another version of the same second shows nothing new in the list.
    store(vault, "orders", "orders-3", ago=0)
    vault.clock.now += LATER
    asked = requests(vault)
    assert (await values(vault))[0] == "orders-3"
    assert "/secrets/orders/versions" in asked()


async def test_after_a_write_of_its_own_the_operator_looks(vault: Site) -> None:
    await values(vault)
    vault.clock.now += LATER
    await values(vault)
    stored = await vault.vaults.store(vault.identity, vault.vault, "orders", SecretStr("orders-2"), {})
    found = await look(vault, "orders")
    assert isinstance(found, VaultSecretFacts)
    assert found.version == stored


async def test_pinned_versions_have_checks_of_their_own(vault: Site) -> None:
    pinned = store(vault, "orders", "orders-2", ago=30)
    await values(vault)
    await look(vault, "orders", pinned)
    vault.clock.now += LATER
    asked = requests(vault)
    found = await look(vault, "orders", pinned)
    assert isinstance(found, VaultSecretFacts)
    assert asked() == ["/secrets/orders/versions"]


async def test_a_refresh_looks_at_the_secret_itself(vault: Site) -> None:
    await values(vault)
    vault.clock.now += LATER
    await values(vault)
    asked = requests(vault)
    await look(vault, "orders", age=0)
    assert asked() == ["/secrets/orders/versions"]


async def test_a_single_secret_needs_no_list(vault: Site) -> None:
    asked = requests(vault)
    for _ in range(2):
        await look(vault, "orders")
        vault.clock.now += LATER
    assert "/secrets" not in asked()


async def test_a_right_on_single_secrets_does(site: Site) -> None:
    for name in NAMES:
        store(site, name, f"{name}-1", ago=60)
        data = tuple(f"Microsoft.KeyVault/vaults/secrets/{one}/action" for one in ("getSecret", "readMetadata"))
        site.allow(scope=f"{site.vault_scope}/secrets/{name}", data=data)
    await values(site)
    asked = requests(site)
    for _ in range(2):
        site.clock.now += LATER
        assert await values(site) == ["orders-1", "carts-1", "users-1"]
    assert asked().count("/secrets") == 1, "denied once, and not requested again for an hour"


async def test_a_vault_with_more_pages_than_secrets_of_the_operator_is_not_listed(vault: Site) -> None:
    vault.control.settings.change(secrets_page_size=1)
    store(vault, "of-others", "x", ago=60)
    await values(vault)
    asked = requests(vault)
    for _ in range(2):
        vault.clock.now += LATER
        assert await values(vault) == ["orders-1", "carts-1", "users-1"]
    assert asked().count("/secrets") == 3, "three pages, and not again for an hour"


async def test_a_list_that_fails_is_not_requested_for_each_secret(vault: Site) -> None:
    await values(vault)
    vault.clock.now += LATER
    vault.control.faults.add(
        Fault(service="vault", path="/secrets", status=503, body={"error": {"code": "ServerBusy", "message": "later"}})
    )
    asked = requests(vault)
    for name in NAMES:
        found = await look(vault, name)
        assert isinstance(found, Unknown)
        assert found.reason is Reason.AZURE_ERROR
    assert asked() == ["/secrets"]
    vault.control.faults.clear()
    vault.clock.now += 11
    assert await values(vault) == ["orders-1", "carts-1", "users-1"]


async def test_where_the_list_does_not_move_versions_are_checked(vault: Site) -> None:
    vault.control.settings.change(listed_secret_moves=False)
    await values(vault)
    vault.clock.now += LATER
    store(vault, "orders", "orders-2", ago=30)
    assert (await values(vault))[0] == "orders-1", "the list shows nothing of it"
    vault.clock.now += 3600
    assert (await values(vault))[0] == "orders-2", "once an hour each secret is looked at itself"
    store(vault, "orders", "orders-3", ago=20)
    vault.clock.now += LATER
    assert (await values(vault))[0] == "orders-3", "and from then on it is known that the list does not show it"
