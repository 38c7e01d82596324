from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from secure_redis.api.azure_ids import CacheID
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.assess import key_validity
from secure_redis.domain.observe.keys import ListedKeys, Slot, VaultSecretAbsent
from secure_redis.domain.observe.unknown import NOT_READ, Unknown
from tests.builders.world import CACHE_ID, KEYS, NOW, PRIMARY, SECONDARY, cache, vault

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"enabled": False, "value": None}, Reason.VAULT_SECRET_DISABLED),
        ({"not_before": NOW + SECOND}, Reason.VAULT_SECRET_NOT_YET_VALID),
        ({"expires": NOW - SECOND}, Reason.VAULT_SECRET_EXPIRED),
        ({"expires": NOW}, Reason.VAULT_SECRET_EXPIRED),
        ({"value": None}, Reason.KEY_MALFORMED),
        # Disabled is said first: it is what somebody did on purpose.
        ({"enabled": False, "expires": NOW - SECOND}, Reason.VAULT_SECRET_DISABLED),
    ],
)
def test_versions_that_must_not_be_used(changes: dict[str, Any], reason: Reason) -> None:
    refusal = key_validity.usable(vault(**changes), NOW)
    assert refusal is not None
    assert refusal.reason is reason
    assert "orders-key" in refusal.message


@pytest.mark.parametrize(
    "changes", [{}, {"not_before": NOW}, {"expires": NOW + SECOND}, {"expires": None}, {"latest": False}]
)
def test_versions_that_may_be_used(changes: dict[str, Any]) -> None:
    assert key_validity.usable(vault(**changes), NOW) is None


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("", "is empty"),
        (" \n", "only whitespace"),
        (PRIMARY + "\n", "line break"),
        (PRIMARY + "\r\n", "line break"),
        ("a b" * 10, "whitespace"),
        ("\t" + PRIMARY, "whitespace"),
        (PRIMARY + "\0", "NUL"),
        (PRIMARY + "\x07", "printed"),
        (PRIMARY + "\x7f", "printed"),
        (PRIMARY + "é", "ASCII"),
        (PRIMARY + "\ufeff", "ASCII"),
        (PRIMARY + "\udcff", "ASCII"),
        (PRIMARY + ",ssl=False", "comma"),
        ("k" * 513, "512"),
    ],
)
def test_values_that_are_no_keys(value: str, fault: str) -> None:
    refusal = key_validity.usable(vault(value=SecretStr(value)), NOW)
    assert refusal is not None
    assert refusal.reason is Reason.KEY_MALFORMED
    assert fault in refusal.message
    assert PRIMARY not in refusal.message
    assert "kkkk" not in refusal.message


@pytest.mark.parametrize("value", [PRIMARY, "k" * 512, "'\"$`\\%@:/?#"])
def test_values_that_may_be_keys(value: str) -> None:
    assert key_validity.malformed(SecretStr(value)) is None


def test_the_slot_is_that_of_the_equal_key() -> None:
    assert key_validity.slot_of(SecretStr(PRIMARY), KEYS) is Slot.PRIMARY
    assert key_validity.slot_of(SecretStr(SECONDARY), KEYS) is Slot.SECONDARY
    assert key_validity.slot_of(SecretStr(PRIMARY[:-1]), KEYS) is None
    assert key_validity.slot_of(SecretStr("é\udcff"), ListedKeys(SecretStr("é"), SecretStr("x"))) is None


def test_a_cache_can_bar_every_key() -> None:
    assert key_validity.barred(cache()) is None
    assert key_validity.barred(cache(access_keys_enabled=None, authentication_disabled=None)) is None
    for change, reason in (
        ({"access_keys_enabled": False}, Reason.ACCESS_KEYS_DISABLED),
        ({"authentication_disabled": True}, Reason.AUTHENTICATION_DISABLED),
    ):
        refusal = key_validity.barred(cache(**change))
        assert refusal is not None
        assert refusal.reason is reason


def test_the_other_refusals() -> None:
    assert key_validity.absent(VaultSecretAbsent("no secret")).reason is Reason.VAULT_SECRET_NOT_FOUND
    assert key_validity.absent(VaultSecretAbsent("deleted", deleted=True)).reason is Reason.VAULT_SECRET_DELETED
    assert key_validity.foreign(vault(), CacheID.parse(CACHE_ID)).reason is Reason.VAULT_SECRET_FOREIGN
    assert key_validity.keys_needed(Unknown(Reason.AZURE_DENIED, "no right")).reason is Reason.AZURE_DENIED
    assert key_validity.keys_needed(NOT_READ).reason is Reason.STORING_KEY
