"""The chain from a cache to the key: what breaks it, what hides it, and which of both is reported first."""

from datetime import timedelta
from typing import Any

import pytest

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.assess.encryption_chain import Link, follow
from secure_redis.domain.observe.storage import (
    BlobServiceFacts,
    EncryptionKeyFacts,
    KeyAbsent,
    StorageAbsent,
)
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from tests.builders.storage import VERSION, key, own_key, persisting, spec, storage
from tests.builders.world import NOW, cache, observation, resource

DENIED = Unknown(Reason.AZURE_DENIED, "refused", permission="Microsoft.X/y/read")
KEY_URL = "https://shop.vault.azure.net/keys/disk"
OWN = {"keySource": "CustomerManaged"}


def chain(persistence: dict[str, Any] | None = None, **world: Any) -> Link:
    world = {"cache": persisting(), "storage": storage(), "blob_service": BlobServiceFacts(soft_delete=False), **world}
    made = resource({"persistence": persistence} if persistence else {})
    link = follow(made, observation(**world), world["cache"])
    assert link is not None
    return link


def test_whole() -> None:
    link = chain(spec())
    assert (link.encrypted, link.reason) == (True, Reason.PERSISTENCE_ENCRYPTED)
    assert ";" not in link.message
    assert chain().encrypted is True  # undeclared, it is assessed nevertheless
    own = chain(
        spec(encryption={**OWN, "keyURL": KEY_URL}), storage=storage(encryption=own_key()), encryption_key=key()
    )
    assert own.encrypted is True
    assert "customer-managed" in own.message


def test_nothing_to_report() -> None:
    assert follow(resource(), observation(), cache()) is None
    assert follow(resource({"persistence": {"type": "None"}}), observation(), cache()) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"https_only": False}, Reason.STORAGE_TRANSPORT_WEAK),
        ({"minimum_tls_version": None}, Reason.STORAGE_TRANSPORT_WEAK),
        ({"minimum_tls_version": "TLS1_1"}, Reason.STORAGE_TRANSPORT_WEAK),
        ({"public_blobs_allowed": True}, Reason.STORAGE_OPEN),
        ({"network_default_action": "Allow"}, Reason.STORAGE_OPEN),
        ({"encryption": own_key(blob_encrypted=False)}, Reason.STORAGE_NOT_ENCRYPTED),
    ],
)
def test_a_broken_account(changes: dict[str, Any], reason: Reason) -> None:
    link = chain(spec(), storage=storage(**changes), encryption_key=key())
    assert (link.encrypted, link.reason) == (False, reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"https_only": None},
        {"minimum_tls_version": "TLS?"},
        {"network_default_action": None},
        {"encryption": None},
        {"encryption": own_key(key_source="Microsoft.New")},
    ],
)
def test_a_value_missing_from_azure_is_not_safe(changes: dict[str, Any]) -> None:
    assert chain(spec(), storage=storage(**changes)).encrypted is None


def test_a_broken_link_is_reported_before_a_hidden_one() -> None:
    link = chain(spec(), storage=storage(encryption=None, public_blobs_allowed=True))
    assert (link.encrypted, link.reason) == (False, Reason.STORAGE_OPEN)


@pytest.mark.parametrize("world", [{"storage": DENIED}, {"storage": storage(encryption=own_key())}])
def test_unread_names_the_permission(world: dict[str, Any]) -> None:
    link = chain(spec(), encryption_key=DENIED, **world)
    assert (link.encrypted, link.reason) == (None, Reason.AZURE_DENIED)
    assert "Microsoft.X/y/read" in link.message


def test_unread_for_no_reason_and_gone() -> None:
    assert chain(storage=NOT_READ).encrypted is None
    assert chain(cache=persisting(account=None)).reason is Reason.STORAGE_UNREAD
    assert chain(storage=StorageAbsent("no")).reason is Reason.STORAGE_NOT_FOUND


@pytest.mark.parametrize(
    "known",
    [
        key(expires=NOW),
        key(expires=NOW - timedelta(days=1)),
        key(enabled=False),
        key(not_before=NOW + timedelta(days=1)),
        EncryptionKeyFacts(DENIED, KeyAbsent("no such key")),
    ],
)
def test_an_unusable_key(known: EncryptionKeyFacts) -> None:
    link = chain(spec(), storage=storage(encryption=own_key()), encryption_key=known)
    assert (link.encrypted, link.reason) == (False, Reason.ENCRYPTION_KEY_UNUSABLE)


def test_a_key_without_a_reported_state() -> None:
    link = chain(spec(), storage=storage(encryption=own_key()), encryption_key=key(enabled=None))
    assert link.encrypted is None


@pytest.mark.parametrize(
    ("expected", "well"),
    [
        ({"keySource": "MicrosoftManaged"}, False),
        ({**OWN, "keyURL": KEY_URL}, True),
        ({**OWN, "keyURL": f"{KEY_URL}/{VERSION}"}, True),
        ({**OWN, "keyURL": f"{KEY_URL}/{'f' * 32}"}, False),
        ({**OWN, "keyURL": KEY_URL.replace("shop", "other")}, False),
        ({**OWN, "keyURL": f"{KEY_URL}s"}, False),
        ({"infrastructureEncryption": "Required"}, False),
    ],
)
def test_expectations(expected: dict[str, str], *, well: bool) -> None:
    link = chain(spec(encryption=expected), storage=storage(encryption=own_key()), encryption_key=key())
    assert link.encrypted is well


def test_a_connection_string_needs_the_open_network() -> None:
    link = chain(cache=persisting(authentication=None), storage=storage(network_default_action="Allow"))
    assert link.encrypted is True


def test_remarks_do_not_break_it() -> None:
    link = chain(
        storage=storage(sku_name="Standard_GRS", primary_location="northeurope", shared_key_allowed=None),
        blob_service=BlobServiceFacts(soft_delete=True),
    )
    assert link.encrypted is True
    for remark in ("account keys still work", "soft delete", "another region", "copies lie in"):
        assert remark in link.message


def test_asked_for_and_not_there() -> None:
    assert chain(spec(), cache=cache()).reason is Reason.PERSISTENCE_OFF
    assert chain(spec(), cache=cache(sku_name="Standard")).reason is Reason.PERSISTENCE_NOT_OFFERED
    assert chain(spec(), cache=persisting(account="other")).reason is Reason.STORAGE_OTHER_ACCOUNT
