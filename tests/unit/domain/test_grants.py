"""No one gains a capability through the operator: a table of attempts, each with the reason of its refusal."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api.azure_ids import CacheID, StorageAccountID
from secure_redis.api.names import ALLOW, CLIENT_ID, TENANT_ID
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.explanation import Explanation
from secure_redis.domain.grants import (
    CreationTarget,
    Grant,
    GrantPolicy,
    Power,
    SkuLimit,
    VaultScope,
    VaultTarget,
    refuse,
    resolve_identity,
    storage_scopes,
)
from secure_redis.domain.observe.identity import NamespaceIdentity, OperatorIdentity, ServiceAccountFacts
from secure_redis.domain.observe.unknown import Unknown
from tests.builders.world import CACHE_ID, IDENTITY, SUBSCRIPTION, resource

CACHE = CacheID.parse(CACHE_ID)
VAULT = VaultTarget("https://shop.vault.azure.net", "orders-key")
OPERATOR = OperatorIdentity()
POLICY = GrantPolicy(
    grants=(
        Grant(
            namespaces=("shop", "team-*"),
            powers=frozenset({Power.OBSERVE, Power.PUBLISH_KEY, Power.PROVISION}),
            caches=(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop",),
            vaults=(VaultScope("https://shop.vault.azure.net", ("orders-*",)),),
            locations=("westeurope", "North Europe"),
            largest_sku=SkuLimit("Standard", 3),
        ),
    ),
    operator_identity=True,
)


def scoped(scope: str) -> GrantPolicy:
    return GrantPolicy(grants=(Grant(("shop",), frozenset({Power.OBSERVE}), caches=(scope,)),), operator_identity=True)


GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop"


@pytest.mark.parametrize(
    "scope",
    [
        CACHE_ID,
        GROUP,
        f"/subscriptions/{SUBSCRIPTION}",
        GROUP + "/",
        GROUP.upper(),
        GROUP.removeprefix("/"),
        f"{GROUP}/providers/microsoft.cache/REDIS",
    ],
)
def test_scopes_that_cover(scope: str) -> None:
    assert refuse(scoped(scope), OPERATOR, "shop", Power.OBSERVE, cache=CACHE) is None


@pytest.mark.parametrize(
    "scope",
    [
        "",  # names no scope at all, so it must not mean every one
        "/",
        "*",
        "/subscriptions/*",
        f"/subscriptions/{SUBSCRIPTION[:-1]}",
        f"/subscriptions/{SUBSCRIPTION}6",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/sho",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop2",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/*",
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Cache",
        f"{GROUP}/providers/Microsoft.Cache/redisEnterprise",
        CACHE_ID[:-1],
        CACHE_ID + "2",
        CACHE_ID + "/firewallRules/x",
        f"/{SUBSCRIPTION}/resourceGroups/shop",
        f"/subscriptions/{SUBSCRIPTION}/../{SUBSCRIPTION}/resourceGroups/shop",
    ],
)
def test_scopes_that_do_not_cover(scope: str) -> None:
    refusal = refuse(scoped(scope), OPERATOR, "shop", Power.OBSERVE, cache=CACHE)
    assert refusal is not None
    assert refusal.reason is Reason.NOT_GRANTED
    assert CACHE_ID in refusal.message
    assert "'shop'" in refusal.message


ATTEMPTS: list[tuple[str, dict[str, Any]]] = [
    ("another namespace", {"namespace": "finance"}),
    ("a namespace that begins with a granted one", {"namespace": "shop2"}),
    ("a namespace that a granted one begins with", {"namespace": "sho"}),
    ("upper case", {"namespace": "SHOP"}),
    ("a pattern as namespace", {"namespace": "*"}),
    ("the prefix of a pattern only", {"namespace": "team"}),
    ("a power that is not granted", {"power": Power.DELETE}),
    ("storing where publishing is granted", {"power": Power.STORE_KEY}),
    ("another cache", {"cache": CacheID.parse(CACHE_ID.replace("/shop/", "/shop2/"))}),
    ("another subscription", {"cache": CacheID.parse(CACHE_ID.replace("000000000001", "000000000002"))}),
    ("another vault", {"vault": VaultTarget("https://shop2.vault.azure.net", "orders-key")}),
    ("a vault whose host begins alike", {"vault": VaultTarget("https://shop.vault.azure.net.evil.test", "orders-key")}),
    ("a user in the vault's address", {"vault": VaultTarget("https://shop.vault.azure.net@evil.test", "orders-key")}),
    ("another port", {"vault": VaultTarget("https://shop.vault.azure.net:444", "orders-key")}),
    ("no vault", {"vault": VaultTarget("", "orders-key")}),
    ("another secret", {"vault": VaultTarget("https://shop.vault.azure.net", "payments-key")}),
    ("a secret that ends alike", {"vault": VaultTarget("https://shop.vault.azure.net", "x-orders-key")}),
    ("another region", {"creation": CreationTarget("eastus", "Basic", 0)}),
    ("no region", {"creation": CreationTarget("", "Basic", 0)}),
    ("a larger size", {"creation": CreationTarget("westeurope", "Standard", 4)}),
    ("a larger tier", {"creation": CreationTarget("westeurope", "Premium", 1)}),
    ("an unknown tier", {"creation": CreationTarget("westeurope", "Enterprise", 1)}),
]
GRANTED: dict[str, Any] = {"namespace": "shop", "power": Power.PUBLISH_KEY, "cache": CACHE, "vault": VAULT}


@pytest.mark.parametrize("attempt", [row[1] for row in ATTEMPTS], ids=[row[0] for row in ATTEMPTS])
def test_attempts_are_refused(attempt: dict[str, Any]) -> None:
    attempted = {**GRANTED, **attempt}
    namespace, power = attempted.pop("namespace"), attempted.pop("power")
    refusal = refuse(POLICY, OPERATOR, namespace, power, **attempted)
    assert refusal is not None
    assert refusal.reason is Reason.NOT_GRANTED
    assert str(power) in refusal.message
    assert f"{namespace!r}" in refusal.message


@pytest.mark.parametrize(
    "attempted",
    [
        {},
        {"namespace": "team-a"},
        {"cache": CacheID.parse(CACHE_ID.upper().replace("MICROSOFT.CACHE", "Microsoft.Cache"))},
        {"vault": VaultTarget("https://SHOP.vault.azure.net/", "Orders-Key")},
        {"creation": CreationTarget("West Europe", "Standard", 3)},
        {"creation": CreationTarget("northeurope", "Basic", 6)},
    ],
)
def test_a_granted_action_is_not_refused(attempted: dict[str, Any]) -> None:
    all_of_it = {**GRANTED, **attempted}
    namespace, power = all_of_it.pop("namespace"), all_of_it.pop("power")
    assert refuse(POLICY, OPERATOR, namespace, power, **all_of_it) is None


def test_one_grant_must_cover_all_of_it() -> None:
    split = GrantPolicy(
        grants=(
            Grant(("shop",), frozenset({Power.PUBLISH_KEY}), caches=(CACHE_ID,)),
            Grant(("shop",), frozenset({Power.PUBLISH_KEY}), vaults=(VaultScope(VAULT.uri),)),
        ),
        operator_identity=True,
    )
    assert refuse(split, OPERATOR, "shop", Power.PUBLISH_KEY, cache=CACHE, vault=VAULT) is not None


ACCOUNT_ID = StorageAccountID.parse(
    f"{CACHE_ID.rsplit('/providers', 1)[0]}/providers/Microsoft.Storage/storageAccounts/shopdata"
)


@pytest.mark.parametrize(
    ("scopes", "granted"),
    [
        ((), False),
        ((ACCOUNT_ID.text,), True),
        ((ACCOUNT_ID.text.upper(),), True),
        ((ACCOUNT_ID.text[:-1],), False),
        ((f"{ACCOUNT_ID.text}2",), False),
        ((ACCOUNT_ID.text.rsplit("/providers", 1)[0],), True),
        ((f"{ACCOUNT_ID.text.rsplit('/providers', 1)[0]}-b",), False),
        ((CACHE_ID,), False),
    ],
)
def test_a_storage_account_is_granted_by_whole_segments(scopes: tuple[str, ...], *, granted: bool) -> None:
    one = Grant(("shop",), frozenset({Power.OBSERVE}), caches=(CACHE_ID,), storage_accounts=scopes)
    for policy, identity in (
        (GrantPolicy(grants=(one,), operator_identity=True), OperatorIdentity()),
        (GrantPolicy(caps=(one,)), IDENTITY),
    ):
        cache = CacheID.parse(CACHE_ID)
        refused = refuse(policy, identity, "shop", Power.OBSERVE, cache=cache, storage=ACCOUNT_ID)
        assert (refused is None) is granted
        if refused is not None:
            assert ACCOUNT_ID.text in refused.message


OTHERS = f"/subscriptions/{'2' * 8}-2222-3333-4444-555555555555"
GROUP_SCOPE = ACCOUNT_ID.text.rsplit("/providers", 1)[0].lower()


@pytest.mark.parametrize(
    ("scopes", "places"),
    [
        ((), None),
        ((ACCOUNT_ID.text.upper(),), (ACCOUNT_ID.key,)),
        ((f"{ACCOUNT_ID.text}2",), None),
        ((f"{ACCOUNT_ID.text}/blobServices/default",), None),
        ((ACCOUNT_ID.text.replace("Storage", "Other"),), None),
        ((CACHE_ID,), None),
        ((f"{GROUP_SCOPE}/", GROUP_SCOPE.upper()), (GROUP_SCOPE,)),
        ((f"/subscriptions/{SUBSCRIPTION}", ACCOUNT_ID.text), (ACCOUNT_ID.key, f"/subscriptions/{SUBSCRIPTION}")),
        ((OTHERS, f"{OTHERS}/resourceGroups/shop"), None),
        ((f"/subscriptions/{SUBSCRIPTION}0",), None),
    ],
)
def test_the_scopes_in_which_an_account_of_that_name_may_be_searched(
    scopes: tuple[str, ...], places: tuple[str, ...] | None
) -> None:
    """Under grants and caps no wider than they name: what none covers is not searched."""
    cache = CacheID.parse(CACHE_ID)
    for powers, namespaces, caches in (
        ({Power.OBSERVE}, ("shop",), (CACHE_ID,)),
        ({Power.CORRECT}, ("shop",), (CACHE_ID,)),
        ({Power.OBSERVE}, ("other",), (CACHE_ID,)),
        ({Power.OBSERVE}, ("shop",), (f"{CACHE_ID}2",)),
    ):
        one = Grant(namespaces, frozenset(powers), caches=caches, storage_accounts=scopes)
        fits = (powers, namespaces, caches) == ({Power.OBSERVE}, ("shop",), (CACHE_ID,))
        for policy, identity in (
            (GrantPolicy(grants=(one,), operator_identity=True), OperatorIdentity()),
            (GrantPolicy(caps=(one,)), IDENTITY),
        ):
            found = storage_scopes(policy, identity, "shop", cache, SUBSCRIPTION.upper(), "ShopData")
            if fits and places is not None:
                assert found == places
            else:
                assert isinstance(found, Explanation)
                assert found.reason is Reason.NOT_GRANTED
    anywhere = storage_scopes(GrantPolicy(), IDENTITY, "shop", cache, SUBSCRIPTION, "shopdata")
    assert anywhere == (f"/subscriptions/{SUBSCRIPTION}",)


def test_without_grants_the_operators_identity_does_nothing() -> None:
    for power in Power:
        assert refuse(GrantPolicy(operator_identity=True), OPERATOR, "shop", power, cache=CACHE) is not None


def test_creation_needs_locations_and_a_largest_sku() -> None:
    bare = scoped(CACHE_ID)
    grant = Grant(("shop",), frozenset({Power.PROVISION}), caches=(CACHE_ID,), locations=("westeurope",))
    target = CreationTarget("westeurope", "Basic", 0)
    for policy in (bare, GrantPolicy(grants=(grant,))):
        assert refuse(policy, OPERATOR, "shop", Power.PROVISION, cache=CACHE, creation=target) is not None


@given(namespace=st.text(max_size=20))
def test_a_namespaces_identity_serves_only_that_namespace(namespace: str) -> None:
    refusal = refuse(GrantPolicy(), IDENTITY, namespace, Power.OBSERVE, cache=CACHE)
    assert (refusal is None) is (namespace == "shop")
    if refusal is not None:
        assert refusal.reason is Reason.NOT_GRANTED


def test_caps_bound_the_namespaces_identities() -> None:
    capped = GrantPolicy(caps=(Grant(("shop",), frozenset({Power.OBSERVE}), caches=(CACHE_ID,)),))
    assert refuse(capped, IDENTITY, "shop", Power.OBSERVE, cache=CACHE) is None
    assert refuse(capped, IDENTITY, "shop", Power.DELETE, cache=CACHE) is not None
    # A cap opens nothing for the operator's identity, a grant caps nothing.
    assert refuse(capped, OPERATOR, "shop", Power.OBSERVE, cache=CACHE) is not None
    assert refuse(POLICY, IDENTITY, "shop", Power.DELETE, cache=CACHE) is None


# --- whose identity -------------------------------------------------------------------------------------------------


def account(**changes: Any) -> ServiceAccountFacts:
    facts = {"name": "secure-redis", "uid": "u", "client_id": "c", "tenant_id": "t", "allow": ("orders",), **changes}
    return ServiceAccountFacts(**facts)


NAMED = {"identity": {"serviceAccountName": "azure"}}


@pytest.mark.parametrize(
    ("spec", "there", "operator", "reason"),
    [
        ({}, None, False, Reason.NO_IDENTITY),
        (NAMED, None, True, Reason.SERVICE_ACCOUNT_NOT_FOUND),
        ({}, account(client_id=None), True, Reason.SERVICE_ACCOUNT_NOT_ANNOTATED),
        ({}, account(tenant_id=""), True, Reason.SERVICE_ACCOUNT_NOT_ANNOTATED),
        ({}, account(allow=()), True, Reason.CONSENT_MISSING),
        ({}, account(allow=("order", "orders2", "Orders")), True, Reason.CONSENT_MISSING),
        (NAMED, account(name="azure", allow=("",)), True, Reason.CONSENT_MISSING),
    ],
)
def test_no_identity_without_consent_and_never_the_operators_instead(
    spec: dict[str, Any], there: ServiceAccountFacts | None, operator: bool, reason: Reason
) -> None:
    refusal = resolve_identity(resource(spec), there, GrantPolicy(operator_identity=operator))
    assert isinstance(refusal, Explanation)
    assert refusal.reason is reason


def test_the_identity_that_is_used() -> None:
    assert resolve_identity(resource(), None, GrantPolicy(operator_identity=True)) == OPERATOR
    for allow in (("orders",), ("*",), ("sessions", "orders")):
        found = resolve_identity(resource(), account(allow=allow), GrantPolicy())
        assert found == NamespaceIdentity("shop", "secure-redis", "u", "c", "t")
    unread = Unknown(Reason.NAMESPACE_NOT_BOUND, "apply the RoleBinding")
    assert resolve_identity(resource(), unread, GrantPolicy(operator_identity=True)) is unread


def test_the_refusals_name_the_annotation() -> None:
    missing = resolve_identity(resource(), account(client_id=None, tenant_id=None), GrantPolicy())
    assert isinstance(missing, Explanation)
    assert CLIENT_ID in missing.message
    assert TENANT_ID in missing.message
    unasked = resolve_identity(resource(), account(allow=()), GrantPolicy())
    assert isinstance(unasked, Explanation)
    assert f"{ALLOW}: orders" in unasked.message
