"""Answers about accounts, vaults and keys, of every shape that JSON can have."""

import contextlib
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.azure.core.answers import Malformed
from secure_redis.azure.keyvault import convert
from secure_redis.azure.storage import convert as storage_convert

ACCOUNT = (
    "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/shop/providers/Microsoft.Storage"
    "/storageAccounts/ordersdata"
)
VAULT = ACCOUNT.replace("Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults")
KEY_ID = "https://shop.vault.azure.net/keys/disk/0123456789abcdef0123456789abcdef"

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
ACCOUNT_NAMES = (
    "encryption", "networkAcls", "minimumTlsVersion", "supportsHttpsTrafficOnly", "allowBlobPublicAccess",
    "allowSharedKeyAccess", "publicNetworkAccess", "privateEndpointConnections", "isHnsEnabled", "primaryEndpoints",
    "keyPolicy", "primaryLocation", "provisioningState",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(ACCOUNT_NAMES), json), json)
def test_an_account_of_any_shape_is_facts(properties: dict[str, Any], sku: Any) -> None:
    facts = storage_convert.storage_facts({"id": ACCOUNT, "properties": properties, "sku": sku})
    for name in ("https_only", "public_blobs_allowed", "shared_key_allowed"):
        assert getattr(facts, name) in (None, True, False)
    if "minimumTlsVersion" not in properties:
        assert facts.minimum_tls_version is None


@pytest.mark.parametrize(
    ("converter", "good"),
    [
        (storage_convert.storage_facts, {"id": ACCOUNT, "properties": {}}),
        (storage_convert.blob_service_facts, {"properties": {}}),
        (convert.key_vault_facts, {"id": VAULT, "name": "shop", "properties": {}}),
        (partial(convert.key_facts, name="disk"), {"properties": {"keyUriWithVersion": KEY_ID}}),
    ],
    ids=["account", "blob service", "vault", "key"],
)
@given(body=json)
def test_anything_else_is_malformed_or_facts(
    converter: Callable[[object], object], good: dict[str, Any], body: Any
) -> None:
    assert dataclasses.is_dataclass(converter(good))
    for answer in (body, *({**good, name: body} for name in good)):
        with contextlib.suppress(Malformed):
            assert dataclasses.is_dataclass(converter(answer))


def test_an_account_with_only_a_name_has_no_other_facts() -> None:
    facts = storage_convert.storage_facts({"id": ACCOUNT})
    said = {name: value for name, value in dataclasses.asdict(facts).items() if value not in (None, (), "", 0)}
    assert set(said) == {"account_id"}
    assert (facts.redundancy, facts.geo_redundant, facts.trusted_services_pass) == (None, None, None)


@pytest.mark.parametrize(
    ("wire", "customer"),
    [
        ("Microsoft.Storage", False),
        ("Microsoft.Keyvault", True),
        ("microsoft.keyvault", True),
        ("Microsoft.New", None),
        (None, None),
    ],
)
def test_whose_key_it_is(wire: str | None, customer: bool | None) -> None:
    facts = storage_convert.storage_facts({"id": ACCOUNT, "properties": {"encryption": {"keySource": wire}}})
    assert facts.encryption is not None
    assert facts.encryption.customer_managed is customer


@pytest.mark.parametrize(
    ("sku", "redundancy", "geo"),
    [
        ("Standard_LRS", "LRS", False),
        ("Premium_ZRS", "ZRS", False),
        ("Standard_GRS", "GRS", True),
        ("Standard_RAGRS", "RAGRS", True),
        ("Standard_GZRS", "GZRS", True),
        ("Standard_RAGZRS", "RAGZRS", True),
        ("StandardV2_LRS", "LRS", False),
        ("Standard", None, None),
    ],
)
def test_redundancy_is_read_from_the_skus_name(sku: str, redundancy: str | None, geo: bool | None) -> None:
    facts = storage_convert.storage_facts({"id": ACCOUNT, "sku": {"name": sku}})
    assert (facts.redundancy, facts.geo_redundant) == (redundancy, geo)


@pytest.mark.parametrize(
    ("wire", "bypass", "trusted"),
    [
        ("AzureServices", ("AzureServices",), True),
        ("Logging, Metrics, AzureServices", ("Logging", "Metrics", "AzureServices"), True),
        ("Logging", ("Logging",), False),
        ("None", (), False),
        (None, None, None),
    ],
)
def test_which_addresses_pass_the_firewall(
    wire: str | None, bypass: tuple[str, ...] | None, trusted: bool | None
) -> None:
    facts = storage_convert.storage_facts({"id": ACCOUNT, "properties": {"networkAcls": {"bypass": wire}}})
    assert (facts.network_bypass, facts.trusted_services_pass) == (bypass, trusted)


@pytest.mark.parametrize(
    ("wire", "read"),
    [
        ("2030-01-02T03:04:05.1234567Z", datetime(2030, 1, 2, 3, 4, 5, 123456, UTC)),
        ("2030-01-02T03:04:05", datetime(2030, 1, 2, 3, 4, 5, 0, UTC)),
        ("2030-01-02T05:04:05+02:00", datetime(2030, 1, 2, 3, 4, 5, 0, UTC)),
        ("0001-01-01T00:00:00", None),
        ("soon", None),
        (7, None),
    ],
)
def test_when_the_key_in_use_expires(wire: object, read: datetime | None) -> None:
    key = {"currentVersionedKeyExpirationTimestamp": wire}
    facts = storage_convert.storage_facts(
        {"id": ACCOUNT, "properties": {"encryption": {"keySource": "Microsoft.Keyvault", "keyvaultproperties": key}}}
    )
    assert facts.encryption is not None
    assert facts.encryption.current_key_expires == read


def test_a_key_without_a_version_and_a_vault_of_another_type_are_malformed() -> None:
    key = {"properties": {"keyUriWithVersion": KEY_ID, "attributes": {"exp": 10**40}}}
    assert convert.key_facts(key, "disk").version == KEY_ID[-32:]
    assert convert.key_facts(key, "disk").expires is None  # no calendar goes that far
    with pytest.raises(Malformed, match="version"):
        convert.key_facts({"properties": {"keyUriWithVersion": KEY_ID[:-33]}}, "disk")
    assert convert.key_vault_facts({"id": VAULT, "name": "shop", "properties": {}}).purge_protection is None
    with pytest.raises(Malformed, match="not that of a key vault"):
        convert.key_vault_facts({"id": ACCOUNT, "name": "shop", "properties": {}})


def test_a_vault_reports_who_may_use_its_keys() -> None:
    policy = {"objectId": "AA", "permissions": {"keys": ["Get", "wrapKey"], "secrets": ["all"]}}
    user = {"objectId": "BB", "applicationId": "CC", "permissions": {"keys": ["all"]}}
    properties = {"enableRbacAuthorization": False, "accessPolicies": [policy, user, {}, "odd"]}
    facts = convert.key_vault_facts({"id": VAULT, "name": "shop", "properties": properties})
    assert (facts.by_roles, facts.key_policies) == (False, {"aa": frozenset({"get", "wrapkey"})})
    assert facts.lets_encrypt("AA", ()) is False
    assert facts.lets_encrypt("BB", ()) is False, "it counts for that application's users only"
