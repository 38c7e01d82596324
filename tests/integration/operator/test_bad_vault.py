"""Failures of a key after a good Secret was published: a reason, the Secret stays, others go on, it recovers."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sandbox.azure.seeds import seeds
from sandbox.world import OTHER_TENANT, SUBSCRIPTION, TENANT, Team, World
from secure_redis.api.reasons.catalogue import has
from secure_redis.api.reasons.row import Trait
from tests.integration.operator.support import Bystander, Case

HOUR = 3600

BUSY = 24  # calls to Azure for two checks of one resource, with the reads around it; more would be a loop


@dataclass(frozen=True)
class Row:
    """`reason` of CredentialsSynced and part of its message; `passing`: no one has to act, so Ready stays True."""

    name: str
    breaks: Callable[[Case], object]
    reason: str
    says: str
    mends: Callable[[Case], object]
    passing: bool = False


def _vault(case: Case, **change: object) -> None:
    """The team's vault is replaced by another of its name, empty."""
    fields = {"name": case.team.name, "tenant": TENANT, "subscription": SUBSCRIPTION, "group": case.team.name}
    case.control.seed(seeds.Vault(**{**fields, **change}))  # type: ignore[arg-type]


def _forbid(case: Case) -> None:
    case.control.access.unassign(case.team.object_id, case.team.vault_scope)


def _permit(case: Case) -> None:
    actions = ("Microsoft.KeyVault/vaults/secrets/getSecret/action",)
    case.allow(scope=case.team.vault_scope, data=(*actions, "Microsoft.KeyVault/vaults/secrets/readMetadata/action"))


def _own_vault(case: Case) -> None:
    case.control.keyvault.delete(case.team.name)
    _vault(case)
    case.store()


def _soft_deleted(case: Case) -> None:
    case.control.keyvault.delete_secret(case.team.name, case.cache)


def _answer(status: int, code: str, message: str) -> dict[str, object]:
    return {"service": "vault", "status": status, "body": {"error": {"code": code, "message": message}}}


ROWS = (
    Row(
        "disabled",
        lambda c: c.change_secret(enabled=False),
        "VaultSecretDisabled",
        "enable it or store a new version",
        lambda c: c.change_secret(enabled=True),
    ),
    Row(
        "expired",
        lambda c: c.change_secret(expires=int(time.time()) - HOUR),
        "VaultSecretExpired",
        "store a new version",
        lambda c: c.store(),
    ),
    Row(
        "not yet valid",
        lambda c: c.store(not_before=int(time.time()) + HOUR),
        "VaultSecretNotYetValid",
        "is not valid before",
        lambda c: c.change_secret(not_before=None),
    ),
    Row(
        "soft-deleted",
        _soft_deleted,
        "VaultSecretNotFound",
        "store the cache's access key there",
        _own_vault,
    ),
    Row("forbidden", _forbid, "VaultForbidden", "Key Vault Secrets User", _permit),
    Row("behind a firewall", lambda c: _vault(c, firewall=True), "VaultFirewall", "private endpoint", _own_vault),
    Row("vault gone", lambda c: c.control.keyvault.delete(c.team.name), "VaultNotFound", "does not exist", _own_vault),
    Row("empty", lambda c: c.store(""), "KeyMalformed", "store the key exactly as listKeys answers it", Case.store),
    Row("newline", lambda c: c.store(c.keys["Primary"] + "\n"), "KeyMalformed", "line break", Case.store),
    Row("not ASCII", lambda c: c.store("schlüssel" * 5), "KeyMalformed", "not ASCII", Case.store),
    Row("not UTF-8", lambda c: c.store("\ud800\x80"), "KeyMalformed", "not ASCII", Case.store),
    Row("NUL", lambda c: c.store("a\0b"), "KeyMalformed", "NUL", Case.store),
    Row("huge", lambda c: c.store("k" * 25_000), "KeyMalformed", "longer than 512", Case.store),
    Row("an option", lambda c: c.store("key,ssl=False"), "KeyMalformed", "comma", Case.store),
    Row(
        "regenerated in the portal",
        lambda c: c.control.redis.regenerate(c.cache, "Primary"),
        "KeyMismatch",
        "Store the live key as a new version",
        Case.store,
    ),
    Row(
        "keys disabled",
        lambda c: c.update({"disableAccessKeyAuthentication": True}),
        "AccessKeysDisabled",
        "enable them or remove spec.authentication",
        lambda c: c.update({"disableAccessKeyAuthentication": False}),
    ),
    Row(
        "AUTH disabled",
        lambda c: c.update({"redisConfiguration": {"authnotrequired": "true"}}),
        "AuthenticationDisabled",
        "authnotrequired",
        lambda c: c.update({"redisConfiguration": {"authnotrequired": "false"}}),
    ),
    Row(
        "401",
        lambda c: c.fault(**_answer(401, "Unauthorized", "AKV10001: Unable to parse the token.")),
        "TokenRefused",
        "refused the identity's token",
        Case.mend_faults,
    ),
    Row(
        "429",
        lambda c: c.fault(**_answer(429, "Throttled", "slow down"), headers={"Retry-After": "1"}),
        "AzureThrottled",
        "throttling",
        Case.mend_faults,
        passing=True,
    ),
    Row(
        "500",
        lambda c: c.fault(**_answer(500, "InternalError", "sorry")),
        "AzureError",
        "answered 500",
        Case.mend_faults,
        passing=True,
    ),
    Row(
        "503 with Retry-After",
        lambda c: c.fault(**_answer(503, "Busy", "sorry"), headers={"Retry-After": "1"}),
        "AzureError",
        "answered 503",
        Case.mend_faults,
        passing=True,
    ),
    Row(
        "HTML",
        lambda c: c.fault(service="vault", kind="html", status=502),
        "AzureError",
        "Key Vault",
        Case.mend_faults,
        passing=True,
    ),
    Row(
        "HTML with 200",
        lambda c: c.fault(service="vault", kind="html", status=200),
        "AzureError",
        "proxy",
        Case.mend_faults,
        passing=True,
    ),
    Row(
        "truncated",
        lambda c: c.fault(service="vault", kind="truncated"),
        "AzureError",
        "truncated",
        Case.mend_faults,
        passing=True,
    ),
    Row(
        "reset",
        lambda c: c.fault(service="vault", kind="reset"),
        "AzureUnreachable",
        "broke before the answer",
        Case.mend_faults,
        passing=True,
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_good_secret_survives(case: Case, bystander: Bystander, row: Row) -> None:
    case.published()
    with case.untouched():
        row.breaks(case)
        mark = case.control.log.position()
        case.poke()
        status, reason, message = case.condition("CredentialsSynced")
        assert (reason, row.says in message) == (row.reason, True), f"{reason}: {message}"
        assert status == ("Unknown" if row.passing else status) != "True"
        assert (case.condition("Ready")[0] == "True") == row.passing
        assert case.has("Stalled") == has(reason, Trait.TERMINAL)
        bystander.goes_on()
        assert case.calls(mark) <= BUSY
    row.mends(case)
    case.heal("CredentialsSynced", "True", "Published")
    assert case.condition("Ready")[0] == "True"
    assert case.values()["password"] in case.keys.values()
    assert case.writes() == []


def test_a_vault_of_another_tenant(case: Case, bystander: Bystander) -> None:
    case.published()
    with case.untouched():
        _vault(case, tenant=OTHER_TENANT)
        case.poke()
        status, reason, message = case.condition("CredentialsSynced")
        assert (status, reason) != ("True", "Published")
        assert reason == "VaultOtherTenant"
        assert OTHER_TENANT in message
        assert case.condition("Ready")[0] != "True"
        bystander.goes_on()


def test_a_vault_that_comes_to_the_right_tenant(case: Case) -> None:
    case.exists()
    _vault(case, tenant=OTHER_TENANT)
    case.apply()
    case.until("CredentialsSynced", "Unknown", "VaultOtherTenant")
    _own_vault(case)
    case.heal()


def test_a_pinned_version_that_is_not_there(case: Case) -> None:
    case.exists()
    version = case.store()
    uri = case.control.endpoints.vault_url(case.team.name)
    pinned = {"uri": uri, "secretName": case.cache, "version": "0" * 32}
    case.apply(authentication={"keyVault": pinned})
    assert "0" * 32 in case.until("CredentialsSynced", "False", "VaultSecretNotFound")
    assert case.secret() is None
    case.change(authentication={"keyVault": {"version": version}})
    case.until("Ready", "True")


def test_a_pinned_version_stays_although_there_is_a_newer_one(case: Case) -> None:
    case.exists()
    version = case.store()
    uri = case.control.endpoints.vault_url(case.team.name)
    case.apply(authentication={"keyVault": {"uri": uri, "secretName": case.cache, "version": version}})
    case.until("Ready", "True")
    case.store(case.keys["Secondary"])
    with case.untouched():
        case.poke()
        assert case.condition("Ready")[0] == "True"
    assert case.status["credential"]["keyVaultVersion"] == version


def test_no_older_version_is_used_instead_of_a_disabled_one(case: Case) -> None:
    case.exists()
    case.store(created=int(time.time()) - HOUR)
    case.store(case.keys["Secondary"], enabled=False)
    case.apply()
    case.until("CredentialsSynced", "False", "VaultSecretDisabled")
    case.until("Ready", "False", "VaultSecretDisabled")
    assert case.secret() is None


def test_a_disabled_version_is_reported_the_same_where_the_list_is_undecided(case: Case) -> None:
    case.exists()
    case.store(created=1_800_000_000)
    case.store(case.keys["Secondary"], enabled=False, created=1_800_000_000)
    case.apply()
    case.until("CacheAvailable", "True")
    status, reason, message = case.condition("CredentialsSynced")
    assert (status, reason) == ("False", "VaultSecretDisabled")
    assert case.cache in message
    assert "store a new version" in message


@pytest.mark.parametrize(
    "uri",
    [
        "https://shop.vault.example.com",
        "https://vault.{domain}.example.com",
        "https://evil{domain}",
        "https://shop.vault.azure.net",
    ],
)
def test_no_token_goes_to_a_vault_outside_the_cloud(case: Case, uri: str) -> None:
    case.exists()
    suffix = case.control.endpoints.domain
    settings = {"uri": uri.format(domain=suffix.replace(".sandbox", "-sandbox")), "secretName": case.cache}
    case.apply(authentication={"keyVault": settings})
    message = case.until("CredentialsSynced", "False", "VaultNotAllowed")
    assert case.control.endpoints.vault_suffix in message
    case.until("Stalled", "True", "VaultNotAllowed")
    assert case.secret() is None
    mine = case.control.log.requests(case.mark)
    assert [r for r in mine if r.service == "vault" and r.principal == case.team.object_id] == []
    # One token was asked for, for the resource manager; none for a vault.
    tokens = [r for r in mine if r.service == "entra" and r.action == "token" and r.principal == case.team.object_id]
    assert len(tokens) == 1
    assert case.writes() == []


def test_unproven_without_list_keys_and_without_a_route(world: World, teams: Callable[..., Team]) -> None:
    team = teams(cache_actions=("Microsoft.Cache/redis/read", "Microsoft.Cache/redis/firewallRules/read"))
    case = Case(world, team)
    case.exists(private_endpoints=(), properties={"publicNetworkAccess": "Disabled"})
    case.store()
    case.apply()
    message = case.until("CredentialsSynced", "False", "KeyUnproven")
    assert "listKeys/action" in message
    assert f"ProviderAddress={team.cache_id(case.cache)}" in message
    assert case.secret() is None
    # The vault's owner says whose key it is: that is proof. (The cache still has no route.)
    case.change_secret(tags={"ProviderAddress": team.cache_id(case.cache), "CredentialId": "Primary"})
    case.heal("CredentialsSynced", "True", "Published")
    assert case.values()["password"] == case.keys["Primary"]
    case.until("CacheAvailable", "False", "NoRoute")


def test_proven_by_authentication_where_keys_cannot_be_listed(world: World, teams: Callable[..., Team]) -> None:
    team = teams(cache_actions=("Microsoft.Cache/redis/read", "Microsoft.Cache/redis/firewallRules/read"))
    case = Case(world, team)
    case.exists(properties={"publicNetworkAccess": "Enabled"})
    case.store("A" * 43 + "=")
    case.apply()
    message = case.until("CredentialsSynced", "False", "KeyMismatch")
    assert "the cache refused" in message
    assert case.secret() is None
    case.store()
    case.heal()
    assert case.values()["password"] == case.keys["Primary"]
