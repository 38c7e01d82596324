"""What tells whether a key was regenerated, whoever did it and whenever we died: a tag in Key Vault.

Before a key is regenerated, an HMAC keyed by it goes as a tag onto the current version of the vault secret. While the
listed key still answers to it, nothing was regenerated; once it does not, the key is another one. The version that
stores the new key carries it on, so that it is known to be ours. Nothing but Key Vault holds it (no digest of a key
leaves there), and it tells nothing of a key with 256 random bits.
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
    """`attempt_id`: which regeneration it is for. `digest`: of the key before it, in hex."""

    attempt_id: str
    digest: str

    @classmethod
    def on(cls, tags: Mapping[str, str], attempt_id: str) -> "RegenerationMark | None":
        """The mark of this occasion among a version's tags, if there is one."""
        said, _, digest = (tag(tags, ROTATION_TAG) or "").rpartition("/")
        return cls(attempt_id, digest) if said == attempt_id and digest else None

    @property
    def tag(self) -> dict[str, str]:
        """As it stands on a version."""
        return {ROTATION_TAG: f"{self.attempt_id}/{self.digest}"}

    def fits(self, key: SecretStr) -> bool:
        """Whether this is still the key that was marked."""
        return hmac.compare_digest(self.digest, _digest(self.attempt_id, key))


def attempt_id(recorded_at: str, slot: Slot, *, retiring: bool = False) -> str:
    """One regeneration: the moment its intent was recorded, the slot, and which of a rotation's two it is.

    Within one second a slot can be retired by one rotation and be the target of the next.
    """
    return f"{recorded_at}/{slot}/{'old' if retiring else 'new'}"


def marked(tags: Mapping[str, str], of: str, key: SecretStr) -> dict[str, str]:
    """A version's tags with the mark of `key` on the occasion `of`; an earlier mark is replaced."""
    kept = {name: value for name, value in tags.items() if not same_word(name, ROTATION_TAG)}
    return {**kept, **RegenerationMark(of, _digest(of, key)).tag}


def key_of(keys: ListedKeys, slot: Slot) -> SecretStr:
    """The listed key of a slot."""
    return keys.primary if slot is Slot.PRIMARY else keys.secondary


def other(slot: Slot) -> Slot:
    """The slot beside it."""
    return Slot.SECONDARY if slot is Slot.PRIMARY else Slot.PRIMARY


def _digest(of: str, key: SecretStr) -> str:
    return hmac.new(key.get_secret_value().encode(), of.encode(), "sha256").hexdigest()
