"""The mark that shows whether a key was regenerated, by any party and across crashes: a tag in Key Vault.

Before a key is regenerated, the operator tags the current version of the vault secret with an HMAC keyed by that key.
While the listed key fits the tag, nothing was regenerated. Once it does not fit, the key is another one. The version
that stores the new key keeps the tag, so that it is known to be the operator's. Only Key Vault stores the tag (no
digest of a key leaves it), and it reveals nothing about a key of 256 random bits.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from secure_redis.api.names import ROTATION_TAG
from secure_redis.domain.observe.keys import ListedKeys, Slot
from secure_redis.domain.observe.normalise import same_word, tag


@dataclass(frozen=True, slots=True)
class RegenerationMark:
    """A mark. `attempt_id`: which regeneration it is for. `digest`: of the key before it, in hex."""

    attempt_id: str
    digest: str

    @classmethod
    def on(cls, tags: Mapping[str, str], attempt_id: str) -> "RegenerationMark | None":
        """Find the mark of this attempt among a version's tags."""
        attempt, _, digest = (tag(tags, ROTATION_TAG) or "").rpartition("/")
        return cls(attempt_id, digest) if attempt == attempt_id and digest else None

    @property
    def tag(self) -> dict[str, str]:
        """The mark as a tag of a version."""
        return {ROTATION_TAG: f"{self.attempt_id}/{self.digest}"}

    def fits(self, key: SecretStr) -> bool:
        """Whether this is still the key that was marked."""
        return hmac.compare_digest(self.digest, _digest(self.attempt_id, key))


def attempt_id(recorded_at: str, slot: Slot, *, retiring: bool = False) -> str:
    """Name one regeneration: by the time its intent was recorded, its slot, and which of a rotation's two it is.

    Within one second a slot can be retired by one rotation and be the target of the next.
    """
    return f"{recorded_at}/{slot}/{'old' if retiring else 'new'}"


def marked(tags: Mapping[str, str], attempt: str, key: SecretStr) -> dict[str, str]:
    """Return a version's tags with the mark of `key` for the attempt; an earlier mark is replaced."""
    kept = {name: value for name, value in tags.items() if not same_word(name, ROTATION_TAG)}
    return {**kept, **RegenerationMark(attempt, _digest(attempt, key)).tag}


def key_of(keys: ListedKeys, slot: Slot) -> SecretStr:
    """Return the listed key of a slot."""
    return keys.primary if slot is Slot.PRIMARY else keys.secondary


def other(slot: Slot) -> Slot:
    """Return the other slot."""
    return Slot.SECONDARY if slot is Slot.PRIMARY else Slot.PRIMARY


def _digest(attempt: str, key: SecretStr) -> str:
    return hmac.new(key.get_secret_value().encode(), attempt.encode(), "sha256").hexdigest()
