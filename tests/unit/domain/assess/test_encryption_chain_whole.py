"""`True` only where the whole chain was read: every field of it is changed and hidden, alone and beside others."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.assess.encryption_chain import Link, follow
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.redis import PersistenceFacts, Redis
from secure_redis.domain.observe.storage import (
    BlobServiceFacts,
    EncryptionKeyFacts,
    KeyAbsent,
    KeyFacts,
    StorageAbsent,
    StorageEncryption,
    StorageFacts,
)
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from secure_redis.domain.plan.types import Plan
from secure_redis.domain.report.conditions.cache import persistence_encrypted
from secure_redis.domain.report.conditions.condition_state import UNKNOWN, ConditionState
from tests.builders.storage import key, own_key, persisting, spec, storage
from tests.builders.world import NOW, observation, resource

HIDDEN = Unknown(Reason.AZURE_DENIED, "refused", permission="Microsoft.X/y/read")
URL = "https://shop.vault.azure.net/keys/disk"
DECLARED = spec(encryption={"keySource": "CustomerManaged", "keyURL": URL, "infrastructureEncryption": "Required"})
STRING = {**spec(), "storage": {**spec()["storage"], "authentication": "ConnectionString"}}

# The fields of each part that may change or be missing without the data being any less safe.
CHANGES: dict[type, set[str]] = {
    PersistenceFacts: {"aof", "rdb_frequency_minutes", "authentication", "subscription"},
    StorageFacts: {
        "location", "sku_name", "shared_key_allowed", "network_bypass", "primary_location", "secondary_location",
    },
    StorageEncryption: {"key_version", "current_key_id", "identity_id", "federated_client_id"},
    KeyFacts: {"name", "version"},
    BlobServiceFacts: {one.name for one in fields(BlobServiceFacts)},
}  # fmt: skip
MISSING: dict[type, set[str]] = {
    PersistenceFacts: {"aof", "rdb_frequency_minutes", "subscription", "endpoint", "authentication"},
    StorageFacts: CHANGES[StorageFacts] | {"public_network_access"},
    StorageEncryption: CHANGES[StorageEncryption] | {"current_key_expires"},
    KeyFacts: CHANGES[KeyFacts] | {"expires", "not_before"},
    BlobServiceFacts: CHANGES[BlobServiceFacts],
}
# Worse than what is there, by field; a boolean is turned, another text is put in the place of a text.
WORSE: dict[str, Any] = {
    "public_network_access": "Enabled",  # behind the firewall that is there
    "minimum_tls_version": "TLS1_1",
    "current_key_expires": NOW,
    "expires": NOW,
    "not_before": NOW + timedelta(days=1),
    "account_id": None,  # of its own, below
    "encryption": None,
}


def whole() -> Observation:
    """A cache that persists by identity into a safe account with the customer's own key, all of it read."""
    kept = storage(
        encryption=own_key(infrastructure=True, current_key_expires=NOW + timedelta(days=30)),
        primary_location="westeurope",
    )
    return observation(
        cache=persisting(endpoint="shopdata.blob.core.windows.net"),
        storage=kept,
        blob_service=BlobServiceFacts(soft_delete=False, versioning=False),
        encryption_key=key(expires=NOW + timedelta(days=30), not_before=NOW - timedelta(days=30)),
    )


def chain(observed: Observation, declared: dict[str, Any] | None = None) -> Link:
    assert isinstance(observed.cache, Redis)
    link = follow(resource({"persistence": DECLARED if declared is None else declared}), observed, observed.cache)
    assert link is not None
    return link


def parts(observed: Observation) -> dict[type, Any]:
    """Every part of the chain."""
    assert isinstance(observed.cache, Redis)
    assert isinstance(observed.storage, StorageFacts)
    assert isinstance(observed.encryption_key, EncryptionKeyFacts)
    return {
        PersistenceFacts: observed.cache.persistence,
        StorageFacts: observed.storage,
        StorageEncryption: observed.storage.encryption,
        KeyFacts: observed.encryption_key.key,
        BlobServiceFacts: observed.blob_service,
    }


def put(observed: Observation, part: Any) -> Observation:
    """The same world with one part in the place of its own kind."""
    cache, kept, known = observed.cache, observed.storage, observed.encryption_key
    assert isinstance(cache, Redis)
    assert isinstance(kept, StorageFacts)
    match part:
        case PersistenceFacts():
            return replace(observed, cache=replace(cache, persistence=part))
        case StorageFacts():
            return replace(observed, storage=part)
        case StorageEncryption():
            return replace(observed, storage=replace(kept, encryption=part))
        case KeyFacts():
            assert isinstance(known, EncryptionKeyFacts)
            return replace(observed, encryption_key=replace(known, key=part))
        case _:
            return replace(observed, blob_service=part)


def other(name: str, value: Any) -> Any:
    """Another value for a field: the worse one where one is worse."""
    if name in WORSE:
        return WORSE[name]
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case datetime():
            return value + timedelta(days=1)
        case str():
            return value.replace("https://", "https://x") if "://" in value else f"x{value}"
        case tuple():
            return ()
    return "something" if name not in {"blob_encrypted", "infrastructure", "aof"} else True


def every_field() -> Iterator[tuple[type, str]]:
    return ((kind, one.name) for kind, part in parts(whole()).items() for one in fields(part))


FIELDS = sorted(every_field(), key=lambda one: (one[0].__name__, one[1]))


def test_the_whole_chain() -> None:
    assert chain(whole()).encrypted is True


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda one: one if isinstance(one, str) else one.__name__)
def test_every_single_mutation(kind: type, name: str) -> None:
    """A change breaks or hides the chain, or is named above as harmless: a new field needs a decision."""
    part = parts(whole())[kind]
    value = other(name, getattr(part, name))
    if (kind, name) == (StorageFacts, "account_id"):
        value = replace(part.account_id, name="another", text=part.account_id.text.replace("shopdata", "another"))
    harmless = name in CHANGES[kind] or name == "public_network_access"
    assert (chain(put(whole(), replace(part, **{name: value}))).encrypted is True) is harmless


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda one: one if isinstance(one, str) else one.__name__)
def test_every_single_missing_field(kind: type, name: str) -> None:
    if (kind, name) in {(StorageFacts, "account_id"), (StorageFacts, "location"), (KeyFacts, "name")}:
        return  # never missing
    part = parts(whole())[kind]
    if (kind, name) == (PersistenceFacts, "rdb"):
        return  # off: nothing to follow
    value = () if isinstance(getattr(part, name), tuple) else None
    assert (chain(put(whole(), replace(part, **{name: value}))).encrypted is True) is (name in MISSING[kind])


PARTS: dict[str, Any] = {
    "storage": (HIDDEN, NOT_READ, StorageAbsent("gone")),
    "blob_service": (HIDDEN, NOT_READ),
    "encryption_key": (
        HIDDEN,
        NOT_READ,
        EncryptionKeyFacts(HIDDEN, HIDDEN),
        EncryptionKeyFacts(HIDDEN, key().key),
        replace(key(), key=HIDDEN),
        replace(key(), key=KeyAbsent("gone")),
    ),
}


@pytest.mark.parametrize(("part", "value"), [(name, one) for name, values in PARTS.items() for one in values])
def test_every_single_part_that_could_not_be_read(part: str, value: Any) -> None:
    link = chain(replace(whole(), **{part: value}))
    assert link.encrypted is (False if isinstance(value, StorageAbsent) or "gone" in str(value) else None)
    if value is HIDDEN:
        assert "Microsoft.X/y/read" in link.message


def test_an_unreadable_cache_reports_no_value() -> None:
    unread = ConditionState(UNKNOWN, HIDDEN.reason, HIDDEN.message)
    found = persistence_encrypted(
        resource({"persistence": DECLARED}), replace(whole(), cache=HIDDEN), Plan(), [], unread
    )
    assert found == unread


@given(st.data())
def test_nothing_unknown_is_ever_safe(data: st.DataObject) -> None:
    """With one part unread, or one link worse, the chain is not whole, even if all else is good."""
    observed = whole()
    for kind, name in data.draw(st.lists(st.sampled_from(FIELDS), max_size=4, unique=True)):
        if kind is PersistenceFacts or name == "account_id":
            continue
        part = parts(observed)[kind]
        if part is None:
            continue
        observed = put(observed, replace(part, **{name: data.draw(st.sampled_from([getattr(part, name), None]))}))
    own = isinstance(observed.storage, StorageFacts) and observed.storage.encryption is not None
    names = sorted(PARTS) if own else ["blob_service", "storage"]
    name = data.draw(st.sampled_from(names))
    value = data.draw(st.sampled_from(PARTS[name]))
    for declared in (DECLARED, spec(), STRING):
        assert chain(replace(observed, **{name: value}), declared).encrypted is not True


def test_other_ways_of_being_whole() -> None:
    """With Microsoft's key and by a connection string; with each the same holds for what is still part of it."""
    plain = replace(whole(), storage=storage(), encryption_key=NOT_READ)
    assert chain(plain, spec()).encrypted is True
    string = replace(plain, cache=persisting(authentication="SAS"), storage=storage(network_default_action="Allow"))
    assert chain(string, STRING).encrypted is True
    for name in ("https_only", "minimum_tls_version", "public_blobs_allowed", "encryption"):
        for observed, declared in ((plain, spec()), (string, STRING)):
            kept = observed.storage
            assert isinstance(kept, StorageFacts)
            hidden: dict[str, Any] = {name: None}
            assert chain(replace(observed, storage=replace(kept, **hidden)), declared).encrypted is not True
    shut = storage(public_network_access="Disabled", network_default_action=None)
    assert chain(replace(plain, storage=shut), spec()).encrypted is True
