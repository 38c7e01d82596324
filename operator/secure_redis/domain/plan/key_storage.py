"""Store a key in Key Vault with the tags and the expiry of Microsoft's own rotation tooling.

Source: docs/internals/azure-facts.md#rotation-tags.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from secure_redis.api.names import ROTATED_TAG, ROTATION_TAG
from secure_redis.api.resource import SecureRedisCache
from secure_redis.domain.assess.key import PROVIDER_ADDRESS
from secure_redis.domain.assess.rotation_record import CREDENTIAL_ID, claimed_slot
from secure_redis.domain.grants import VaultTarget
from secure_redis.domain.observe.keys import Slot, VaultSecretFacts
from secure_redis.domain.observe.normalise import same_word, tag
from secure_redis.domain.plan.actions import StoreKey

VALIDITY_DAYS: Final = "ValidityPeriodDays"
# Key Vault announces a secret's expiry this long before (SecretNearExpiry): that is when Microsoft's functions rotate.
NEAR_EXPIRY_DAYS: Final = 30
LONGEST_VALIDITY_DAYS: Final = 3650 + NEAR_EXPIRY_DAYS


def store(
    resource: SecureRedisCache,
    target: VaultTarget,
    slot: Slot,
    value: SecretStr,
    before: VaultSecretFacts | None,
    now: datetime,
) -> StoreKey:
    """Build the new version of the vault secret. Other tags of the version `before` are carried over.

    The tags of a rotation are carried over only with a key of the same slot: another party regenerated it, and the
    rotation goes on with the live key.
    """
    own_tags = {CREDENTIAL_ID: str(slot), PROVIDER_ADDRESS: resource.cache.text}
    days = validity_days(resource, before)
    if days is not None:
        own_tags[VALIDITY_DAYS] = str(days)
    expires = now + timedelta(days=days) if days is not None else None
    same_slot = before is not None and claimed_slot(before.tags) is slot
    dropped = (*own_tags, *(() if same_slot else (ROTATION_TAG, ROTATED_TAG)))
    return StoreKey(target.uri, target.secret_name, value, {**_other_tags(before, dropped), **own_tags}, expires)


def validity_days(resource: SecureRedisCache, vault: VaultSecretFacts | None) -> int | None:
    """Return for how many days a stored key is valid: by the vault owner's tag, else by the spec's interval."""
    days = tag(vault.tags, VALIDITY_DAYS) if vault is not None else None
    if days is not None and days.isascii() and days.isdigit() and 0 < int(days) <= LONGEST_VALIDITY_DAYS:
        return int(days)
    settings = resource.spec.authentication
    interval = settings.rotation.interval_days if settings is not None else None
    return None if interval is None else interval + NEAR_EXPIRY_DAYS


def _other_tags(before: VaultSecretFacts | None, dropped: Iterable[str]) -> dict[str, str]:
    """Tags of others: names have no case in Azure."""
    return {
        name: value
        for name, value in (before.tags if before is not None else {}).items()
        if not any(same_word(name, own) for own in dropped)
    }
