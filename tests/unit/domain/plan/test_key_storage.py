"""A key on its way into Key Vault: Microsoft's tags, an expiry, and what others tagged."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.domain.grants import VaultTarget
from secure_redis.domain.observe.keys import Slot, VaultSecretFacts
from secure_redis.domain.plan.actions import StoreKey
from secure_redis.domain.plan.key_storage import store, validity_days
from tests.builders.world import AUTHENTICATION, CACHE_ID, NOW, VAULT, resource, vault

KEY = SecretStr("bmV3LWtleS1vZi10aGUtdGVzdA==")


def stored(before: VaultSecretFacts | None = None, **rotation: int) -> StoreKey:
    res = resource({"authentication": {**AUTHENTICATION, "rotation": rotation}})
    return store(res, VaultTarget(VAULT, "orders-key"), Slot.SECONDARY, KEY, before, NOW)


def test_the_first_version_names_its_cache_and_slot() -> None:
    made = stored()
    assert made == StoreKey(VAULT, "orders-key", KEY, {"CredentialId": "Secondary", "ProviderAddress": CACHE_ID})
    assert made.expires is None


def test_an_interval_gives_validity_and_expiry_with_a_month_to_spare() -> None:
    made = stored(intervalDays=60)
    assert made.tags["ValidityPeriodDays"] == "90"
    assert made.expires == NOW + timedelta(days=90)


def test_the_owners_tag_comes_before_the_interval() -> None:
    made = stored(vault(tags={"validityperioddays": "120"}), intervalDays=60)
    assert made.expires == NOW + timedelta(days=120)
    assert made.tags["ValidityPeriodDays"] == "120"
    assert "validityperioddays" not in made.tags, "one spelling: names have no case in Azure"


@pytest.mark.parametrize("said", ["0", "-3", "3681", "six", "", "1.5", "\u0663"])
def test_a_tag_that_is_no_number_of_days_is_none(said: str) -> None:
    before = vault(tags={"ValidityPeriodDays": said})
    assert stored(before).expires is None
    assert stored(before, intervalDays=60).expires == NOW + timedelta(days=90)


@pytest.mark.parametrize("days", [1, 3680])
def test_the_bounds_of_the_tag_are_days(days: int) -> None:
    assert validity_days(resource(), vault(tags={"ValidityPeriodDays": str(days)})) == days


def test_without_authentication_no_validity_is_set() -> None:
    assert validity_days(resource({"authentication": None}), None) is None


def test_foreign_tags_are_copied_and_own_tags_are_new() -> None:
    before = vault(
        tags={
            "Team": "orders",
            "credentialid": "Primary",
            "PROVIDERADDRESS": "elsewhere",
            names.ROTATION_TAG.upper(): "2026-11-24T12:00:00Z/Primary/abc",
        }
    )
    assert stored(before).tags == {"Team": "orders", "CredentialId": "Secondary", "ProviderAddress": CACHE_ID}


def test_no_key_in_the_words_of_an_action() -> None:
    assert KEY.get_secret_value() not in f"{stored()!r} {stored()}"
